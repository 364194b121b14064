"""Whole runs as one caller sees them: what may not be read is not there, what may not be changed stays."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

from mlproj.errors import NotFound, RunNotFound, StoreError
from mlproj.lineage_ports import Uses
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import BlobReference, blobs_of
from mlproj.model.run import Run
from mlproj.ports import RunQuery, RunStore
from mlproj.server.desk import Desk
from mlproj.server.failures import DENIED, NO_ENDPOINT, Failure

_RECENT = 20
"""Of so many runs it is looked at what they name, where somebody wants to know what need not be sent."""


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

    def refuse_others(self, what: str) -> None:
        """Raises Failure for whoever is no administrator."""
        if not self.caller.admin:
            _deny(f"{what} is for the server's administrators")

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
        self.write_experiment(self.store.experiment_of(run_id), level)

    def write_experiment(self, experiment_id: str, level: Level = Level.EDIT) -> None:
        if not self.caller.may(level, Kind.EXPERIMENT, experiment_id):
            _deny("that experiment can only be read by you, or is another's")

    def enter(self, name: str) -> str:
        """The id of the experiment of that name for a run to be put into; made by the caller if need be.
        Raises Failure where it is another's."""
        found = self.store.reception.experiment_named(name)
        if found is None:
            # Who makes it by way of tracking has the rights to it.
            found = self.desk.tracking.experiments.create(name).experiment_id
        self.write_experiment(found)
        return found

    def seen(self, run_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(run_id for run_id in run_ids if self.sees(run_id))

    def seen_runs(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        return tuple(run for run in runs if self.sees(run.run_id))

    def seen_uses(self, uses: Uses) -> Uses:
        """Those by runs that the caller may read; how many others there are is nobody's business."""
        if self.within is None:
            return uses
        return Uses(uses=tuple(use for use in uses.uses if self.sees(use.run_id)))

    def knows(self, digests: Collection[Digest], runs: Iterable[str]) -> frozenset[Digest]:
        """Those of the contents that the caller may know to be here: a run names them that may be read (one
        of `runs`, or a recent one), or the caller sent them."""
        wanted = set(digests)
        if self.caller.admin:
            return frozenset(wanted)
        found = wanted & self.store.reception.sent(self.caller.name or "")
        for run_id in dict.fromkeys((*runs, *self._recent())):
            if found == wanted:
                break
            found |= wanted & self.named(run_id)
        return frozenset(found)

    def named(self, run_id: str) -> frozenset[Digest]:
        """What a sealed run names, with what its lists of files list; nothing of one that may not be read."""
        with contextlib.suppress(NotFound):
            if self.sees(run_id):
                run = self.store.find(run_id)
                if run.run_id == run_id and run.record is not None:
                    return self.all_named(blobs_of(run))
        return frozenset()

    def all_named(self, references: Iterable[BlobReference]) -> frozenset[Digest]:
        found: set[Digest] = set()
        for reference in references:
            found.add(reference.digest)
            if reference.manifest and reference.digest in self.store.blobs:
                with contextlib.suppress(ValueError):
                    listed = read_manifest(self.store.blobs.path(reference.digest).read_bytes())
                    found.update(digest for _, _, digest in listed)
        return frozenset(found)

    def refuse_unknown(self, run: Run, references: Sequence[BlobReference]) -> None:
        """Nobody gets at content by naming it: raises StoreError where the caller never had it, as where it
        is not there at all."""
        if self.caller.admin:
            return
        lost = frozenset() if run.outcome is None else frozenset(run.outcome.lost)
        omitted = frozenset() if run.job is None else _omitted(run, self.store)
        known = self.knows(self.all_named(references), ()) | lost | omitted
        for reference in references:
            if not self.all_named((reference,)) <= known:
                raise StoreError(
                    f"run `{run.run_id}` cannot be sealed: the store does not hold its `{reference.part}`"
                )

    def _recent(self) -> tuple[str, ...]:
        query = RunQuery(limit=_RECENT, deleted=True, within=self.within)
        return tuple(run.run_id for run in self.store.search(query))


def _omitted(run: Run, store: RunStore) -> frozenset[Digest]:
    """What the snapshot of a run names and does not hold."""
    assert run.job is not None
    source = run.job.source
    found = {file.digest for file in source.omitted if file.digest is not None}
    if source.omitted_manifest is not None and source.omitted_manifest in store.blobs:
        with contextlib.suppress(ValueError):
            listed = read_manifest(store.blobs.path(source.omitted_manifest).read_bytes())
            found.update(digest for _, _, digest in listed)
    return frozenset(found)


def _deny(message: str) -> NoReturn:
    raise Failure(DENIED, message, cause=StoreError(message))
