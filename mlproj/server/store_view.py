"""Whole runs as one caller sees them: what may not be read is not there, what may not be changed stays."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NoReturn

from mlproj.errors import NotAllowed, NotFound, NotTaken, RunNotFound
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest
from mlproj.model.record import BlobReference
from mlproj.model.run import Run
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import DENIED, NO_ENDPOINT, Failure, invalid
from mlproj.server.held import held_by
from mlproj.store_ports import RunQuery, RunStore

_RECENT = 20
"""Of so many runs it is looked at what they name, where somebody wants to know what need not be sent."""


_AT_ONCE = 100_000
"""Runs that one request may name: each is looked up."""


class View:
    """One caller's view of a store. Raises Failure for whom a run's token lets in: to that run alone."""

    def __init__(self, desk: Desk) -> None:
        if desk.store is None:
            raise Failure(NO_ENDPOINT, "this server keeps no whole runs")
        if desk.grant.limited:
            raise Failure(DENIED, "the token of a run lets nobody at whole runs")
        self.store: RunStore = desk.store
        self.desk = desk
        self.caller = desk.caller
        self.within = desk.caller.visible(Kind.EXPERIMENT)

    @property
    def sender(self) -> str:
        """Who sends, apart from whoever had the same name before."""
        name, users = self.caller.name or "", self.desk.users
        known = None if users is None else users.accounts.known(name)
        return name if known is None else f"{name}\n{known.user.created}"

    def refuse_others(self, what: str) -> None:
        """Raises Failure for whoever is no administrator."""
        if not self.caller.admin:
            _deny(f"{what} is for the server's administrators")

    def manage(self, what: str, kind: str, thing: str) -> None:
        """As `refuse_others`, for what changes something, which is written down."""
        self.caller.note(kind, thing, changes=True)
        self.refuse_others(what)

    def send(self) -> None:
        """Raises Failure for whoever may only read."""
        self.caller.note("contents", "", changes=True)
        if not self.caller.may_make():
            _deny("your token lets you read, and not send anything")

    def note_sent(self, digests: Collection[Digest]) -> None:
        """Remembers for a while what a caller sent who may not see everything."""
        if not self.caller.admin:
            self.store.reception.note_sent(self.sender, digests)

    def sees(self, run_id: str) -> bool:
        if self.within is None:
            return True
        try:
            return self.store.experiment_of(run_id) in self.within
        except RunNotFound:
            return False

    def read(self, run_id: str) -> None:
        """Raises RunNotFound where there is none, or none for this caller."""
        if not self.sees(run_id):
            raise RunNotFound(f"there is no run `{run_id}`")

    def write(self, run_id: str, level: Level = Level.EDIT) -> None:
        """As `read`, and Failure where it can be read alone."""
        self.read(run_id)
        self.caller.note("run", run_id, changes=True)
        self.write_experiment(self.store.experiment_of(run_id), level)

    def write_experiment(
        self,
        experiment_id: str,
        level: Level = Level.EDIT,
        name: str | None = None,
        *,
        hint: str = "who manages it lets you in: `mlproj users grant USER EDIT --experiment NAME`",
    ) -> None:
        """Raises Failure where the caller may not; `name` is what they called it by."""
        if self.caller.may(level, Kind.EXPERIMENT, experiment_id):
            return
        shown = "that experiment" if name is None else f"the experiment `{name}`"
        if level is Level.MANAGE and self.caller.may(Level.EDIT, Kind.EXPERIMENT, experiment_id):
            _deny(f"{shown} is not yours to manage, and who manages it deletes its runs", hint)
        _deny(f"{shown} can only be read by you, or is another's", hint)

    def enter(self, name: str) -> str:
        """The id of the experiment of that name for a run to be put into; made by the caller if need be.
        Raises Failure where it is another's."""
        found = self.store.reception.experiment_named(name)
        if found is None:
            limits.experiment_name(name)
            # Who makes it by way of tracking has the rights to it.
            found = self.desk.tracking.experiments.create(name).experiment_id
        hint = "name another with `--experiment-name`, or be let in by who manages it: `mlproj users grant`"
        self.write_experiment(found, name=name, hint=hint)
        return found

    def seen(self, run_ids: Iterable[str]) -> tuple[str, ...]:
        named = tuple(dict.fromkeys(run_ids))
        if len(named) > _AT_ONCE:
            raise invalid(f"at most {_AT_ONCE} runs are asked for at once, and not {len(named)}")
        return tuple(self.seeing(named))

    def seeing(self, run_ids: Iterable[str]) -> Iterator[str]:
        """As `seen`, one after the other, each once."""
        return (run_id for run_id in dict.fromkeys(run_ids) if self.sees(run_id))

    def seen_runs(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        return tuple(run for run in runs if self.sees(run.run_id))

    def knows(self, digests: Collection[Digest], runs: Iterable[str]) -> frozenset[Digest]:
        """Those of the contents that the caller may know to be here: a run names them that may be read (one
        of `runs`, or a recent one), or the caller sent them."""
        wanted = set(digests)
        if self.caller.admin:
            return frozenset(wanted)
        found = wanted & self.store.reception.sent(self.sender)
        for run_id in dict.fromkeys((*itertools.islice(runs, _AT_ONCE), *self._recent())):
            if found == wanted:
                break
            found |= wanted & self.named(run_id)
        return frozenset(found)

    def named(self, run_id: str) -> frozenset[Digest]:
        """What a sealed run holds, with what its lists of files list; nothing of one that may not be read."""
        with contextlib.suppress(NotFound):
            if self.sees(run_id):
                run = self.store.find(run_id)
                if run.run_id == run_id and run.record is not None:
                    return held_by(run, self.store.blobs)
        return frozenset()

    def refuse_unknown(self, run: Run, references: Sequence[BlobReference]) -> None:
        """Nobody gets at content by naming it: raises NotTaken where the caller never had it, as where it
        is not there at all."""
        if self.caller.admin:
            return
        known = self.knows(held_by(run, self.store.blobs, references), ())
        for reference in references:
            if not held_by(run, self.store.blobs, (reference,)) <= known:
                raise NotTaken(
                    f"run `{run.run_id}` cannot be sealed: the store does not hold its `{reference.part}`"
                )

    def _recent(self) -> tuple[str, ...]:
        query = RunQuery(limit=_RECENT, deleted=True, within=self.within)
        return tuple(run.run_id for run in self.store.search(query))


def _deny(message: str, hint: str | None = None) -> NoReturn:
    raise Failure(DENIED, message, cause=NotAllowed(message, hint=hint))
