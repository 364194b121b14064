"""`mlproj verify`: recomputes everything that was sealed, and names what is not as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlproj.errors import Altered, NotAllowed, StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Ended, Progress, Report, Started, silent
from mlproj.model.record import EntryKind, RecordDocument, blobs_of, decode, read_import, run_of
from mlproj.model.run import Run
from mlproj.ports import Digester
from mlproj.services.contents import Contents, one_by_one
from mlproj.services.findings import Findings, Problem
from mlproj.services.noted_folders import folder_problems
from mlproj.services.registry_standing import registry_problems
from mlproj.services.walk import BEGINNING, Place, Stretch, Walk, numbered
from mlproj.store_ports import Listed, RunStore

Further = Callable[[RunStore, Findings], None]
"""Looks at a store whose chain was checked, and adds what it finds."""
_WORTH_A_WALKER = 1500
"""With fewer entries for it, a program beside us would start for longer than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked and what was found. `removed` are the runs that were forgotten, with a tombstone;
    `chain` says whether others' entries could be read, and so that each follows from the one before it."""

    chain: bool
    entries: int
    runs: int
    blobs: int
    removed: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


class Walker(Protocol):
    """Walks a part of the chain beside us."""

    def stretches(self, *, wait: bool) -> Sequence[Stretch] | None:
        """What it came to tell since it was asked last, at most after a moment where we `wait`; None where
        there is no more to come, be it at its end or because it is gone."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What checks beside us where there is much to check: who digests files, how many walkers there may be
    for the chain, and what starts one behind an entry and until another (or raises OSError)."""

    digester: Digester = one_by_one
    walkers: int = 0
    walker: Callable[[Place, int | None], Walker] | None = None


def verify(
    store: RunStore,
    run: Run | None = None,
    report: Report = silent,
    means: Means = Means(),
    further: Sequence[Further] = (),
) -> Verification:
    """Checks the whole chain, and the content of every run or of `run` alone; then what is to be checked
    `further`. Of a `run` at a server that shows the chain to others alone, its own entries are checked.

    A damaged database is a problem like another, so this raises nothing for what it finds; but NotAllowed
    where the chain is for others to see, and no `run` is named.
    """
    return _Check(store, None if run is None else run.run_id, report, means).everything(further)


class _Check:
    """One walk over a store, with what was found on the way."""

    def __init__(self, store: RunStore, only: str | None, report: Report, means: Means) -> None:
        self._store = store
        self._only = only
        self._report = report
        self._means = means
        self._findings = Findings(only=only)
        self._contents = Contents(store.blobs)
        self._removed: tuple[str, ...] = ()
        self._entries = 0
        self._runs: set[str] = set()
        self._left: dict[Digest, str] = {}
        self._last = BEGINNING
        self._alone = False

    def everything(self, further: Sequence[Further]) -> Verification:
        self._report(Started(stage="verify"))
        try:
            self._check_all(further)
        except NotAllowed:
            raise
        except (StoreError, Altered) as error:
            self._findings.add(None, "database", error.message)
        self._report(Ended(stage="verify"))
        return Verification(
            chain=not self._alone,
            entries=self._entries,
            runs=len(self._runs),
            blobs=len(self._contents),
            removed=self._removed,
            problems=tuple(self._findings.problems),
        )

    def _check_all(self, further: Sequence[Further]) -> None:
        with contextlib.ExitStack() as stack:
            parts = self._parts(stack)
            self._check_database()
            rows = self._store.listing()
            self._findings.names = {row.run_id: row.name for row in rows}
            self._walk = Walk(self._store, self._only, alone=self._alone)
            self._removed = tuple(self._walk.tombstones.runs)
            self._contents.read_beside(self._taken(parts), self._means.digester)
        if not self._alone:
            self._check_end()
        if not self._contents.sound:
            self._tell_of_contents()
        self._check_rows(rows)
        if not self._alone:
            self._check_folders()
        for check in further:
            check(self._store, self._findings)

    def _check_database(self) -> None:
        try:
            faults = self._store.faults()
        except NotAllowed as error:
            if self._only is None:
                raise NotAllowed(error.message, hint="name a run to have it checked alone") from error
            self._alone, faults = True, ()
        for fault in faults:
            self._findings.add(None, "database", fault)

    def _check_folders(self) -> None:
        whole = self._only is None
        for run_id, message in folder_problems(self._store, self._left, self._contents, whole=whole):
            self._findings.add(run_id, "index.folders", message)
        if whole:
            for message in registry_problems(self._store):
                self._findings.add(None, "registry", message)

    def _parts(self, stack: contextlib.ExitStack) -> list[_Part]:
        """The chain in parts, the first of which is ours, each other one with its walker, which has begun."""
        start = self._means.walker
        bounds: list[Place] = []
        if start is not None and self._only is None:
            with contextlib.suppress(Altered, StoreError):
                bounds = list(self._bounds(self._store.head()[0]))
        ends = [*(sequence for sequence, _ in bounds), None]
        parts = [_Part(after=BEGINNING, until=ends[0], walker=None)]
        for after, until in zip(bounds, ends[1:], strict=True):
            assert start is not None, "without walkers there is one part"
            walker = None
            with contextlib.suppress(OSError):  # then all of it is ours
                walker = start(after, until)
                stack.callback(walker.close)
            parts.append(_Part(after=after, until=until, walker=walker))
        return parts

    def _bounds(self, entries: int) -> Iterator[Place]:
        """Where the parts of a chain of so many entries begin, but for the first one."""
        parts = min(self._means.walkers, entries // _WORTH_A_WALKER - 1) + 1
        for part in range(1, parts):
            if (entry := next(self._store.entries(after=entries * part // parts), None)) is not None:
                yield entry.sequence, entry.link

    def _stretches(self, parts: Sequence[_Part]) -> Iterator[Stretch | None]:
        """What is found in all parts of the chain; None where nobody has anything to tell yet."""
        own, *others = parts
        for stretch in self._walk.stretches(own.after, own.until):
            yield stretch
            for part in others:
                yield from part.told(wait=False)
        for part in others:
            while not part.over:
                yield None
                yield from part.told(wait=True)
            # What a walker left undone that ended early.
            if part.after[0] != part.until:
                yield from self._walk.stretches(part.after, part.until)

    def _taken(self, parts: Sequence[_Part]) -> Iterator[None]:
        for stretch in self._stretches(parts):
            if stretch is not None:
                self._take(stretch)
            yield

    def _take(self, stretch: Stretch) -> None:
        self._entries += stretch.entries
        self._runs.update(stretch.runs)
        self._last = max(self._last, stretch.last)
        self._contents.merge(stretch.named)
        for folder, run_id in stretch.left:
            self._left.setdefault(folder, run_id)
        for problem in stretch.problems:
            self._findings.add(problem.run_id, problem.part, problem.message)
        self._report(Progress(stage="verify", done=self._entries, total=None, unit="entries"))

    def _check_end(self) -> None:
        sequence, link = self._last
        head_sequence, head_link = self._store.head()
        if sequence < head_sequence:
            self._findings.add(
                None, "chain", f"{numbered(sequence + 1, head_sequence)} missing at the chain's end"
            )
        elif (sequence, link) != (head_sequence, head_link):
            self._findings.add(None, "chain", "the chain's end is not the one that was noted")

    def _tell_of_contents(self) -> None:
        """Goes along the chain again, for whose the content is with which something is wrong."""
        for entry in self._store.entries(EntryKind.RUN, EntryKind.IMPORT, run_id=self._only):
            if entry.payload is None or not self._findings.concerns(entry.run_id):
                continue
            with contextlib.suppress(ValueError):
                run = self._walk.later.amended(_read(entry.kind, entry.payload))
                for part, message in self._contents.faults(run, blobs_of(run)):
                    self._findings.add(run.run_id, part, message)

    def _check_rows(self, rows: tuple[Listed, ...]) -> None:
        """That every run which says that it is sealed is in the chain, and one that was removed is too."""
        named = {problem.run_id for problem in self._findings.problems}
        for row in rows:
            if row.run_id in named or not self._findings.concerns(row.run_id):
                continue
            if row.forgotten and row.run_id not in self._walk.tombstones.runs:
                self._findings.add(row.run_id, "record", "is hidden as removed, and no tombstone says why")
            elif row.ended and row.run_id not in self._runs and row.run_id not in self._walk.tombstones.runs:
                self._findings.add(row.run_id, "record", "the chain holds no record of the run")


class _Part:
    """A part of the chain: behind which entry it begins, or goes on, and who walks along it."""

    def __init__(self, *, after: Place, until: int | None, walker: Walker | None) -> None:
        self.after = after
        self.until = until
        self.over = walker is None
        self._walker = walker

    def told(self, *, wait: bool) -> Iterator[Stretch]:
        if self._walker is None or self.over:
            return
        stretches = self._walker.stretches(wait=wait)
        if stretches is None:
            self.over = True
            return
        for stretch in stretches:
            self.after = stretch.last
            yield stretch


def _read(kind: EntryKind, payload: bytes) -> Run:
    if kind is EntryKind.IMPORT:
        return read_import(payload, name="")
    return run_of(decode(payload, RecordDocument), name="")
