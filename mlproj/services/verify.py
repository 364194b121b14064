"""`mlproj verify`: recomputes everything that was sealed, and names what is not as it was."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlproj.errors import Altered, StoreError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, is_canonical
from mlproj.model.entries import read_amendment, read_tombstone
from mlproj.model.events import Ended, Progress, Report, Started, silent
from mlproj.model.record import (
    GENESIS,
    Entry,
    EntryKind,
    RecordDocument,
    blobs_of,
    decode,
    read_import,
    run_of,
)
from mlproj.model.run import Run
from mlproj.ports import Digester, Listed, RunStore
from mlproj.services.contents import Contents
from mlproj.services.findings import Findings, Problem
from mlproj.services.later import Later
from mlproj.services.searched import Searched

Further = Callable[[RunStore, Findings], None]
"""Looks at a store whose chain was checked, and adds what it finds."""
_AT_ONCE = 64
"""So many entries are looked at before content is handed out to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked and what was found. `removed` are the runs that were forgotten, with a tombstone."""

    entries: int
    runs: int
    blobs: int
    removed: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


def one_by_one(folder: Path, names: Iterable[Sequence[bytes]]) -> Iterator[tuple[bytes, Digest | str]]:
    """A `ports.Digester` that reads here, one file after another."""
    for name in itertools.chain.from_iterable(names):
        try:
            digest, _ = digest_of(folder / name.decode())
            yield name, digest
        except OSError as error:
            yield name, str(error)


def verify(
    store: RunStore,
    run: Run | None = None,
    report: Report = silent,
    digester: Digester = one_by_one,
    further: Sequence[Further] = (),
) -> Verification:
    """Checks the whole chain, and the content of every run or of `run` alone; then what is to be checked
    `further`.

    A damaged database is a problem like another, so this raises nothing for what it finds.
    """
    return _Check(store, None if run is None else run.run_id, report, digester).everything(further)


@dataclass(slots=True)
class _Tombstones:
    """What the tombstones of a chain say was taken away."""

    digests: dict[int, Digest] = field(default_factory=dict)
    runs: dict[str, None] = field(default_factory=dict)


class _Check:
    """One walk over a store, with what was found on the way."""

    def __init__(self, store: RunStore, only: str | None, report: Report, digester: Digester) -> None:
        self._store = store
        self._report = report
        self._findings = Findings(only=only)
        self._contents = Contents(store.blobs, digester)
        self._later = Later()
        self._searched = Searched(store, self._later, self._contents, self._findings)
        self._tombstones = _Tombstones()
        self._entries = 0
        self._runs: set[str] = set()
        self._last: tuple[int, Digest] = (0, GENESIS)

    def everything(self, further: Sequence[Further]) -> Verification:
        self._report(Started(stage="verify"))
        try:
            for fault in self._store.faults():
                self._findings.add(None, "database", fault)
            rows = self._store.listing()
            self._findings.names = {row.run_id: row.name for row in rows}
            self._read_ahead()
            self._contents.read_beside(self._walk())
            self._check_end()
            if not self._contents.sound:
                self._tell_of_contents()
            self._check_rows(rows)
            for check in further:
                check(self._store, self._findings)
        except (StoreError, Altered) as error:
            self._findings.add(None, "database", error.message)
        self._report(Ended(stage="verify"))
        return Verification(
            entries=self._entries,
            runs=len(self._runs),
            blobs=len(self._contents),
            removed=tuple(self._tombstones.runs),
            problems=tuple(self._findings.problems),
        )

    def _read_ahead(self) -> None:
        """Reads what must be known of later entries while the chain is walked."""
        for entry in self._store.entries(EntryKind.TOMBSTONE, EntryKind.AMENDMENT):
            if entry.payload is None:
                continue
            # What cannot be read is named when the chain is walked.
            with contextlib.suppress(ValueError):
                if entry.kind is EntryKind.TOMBSTONE:
                    tombstone = read_tombstone(entry.payload)
                    self._tombstones.runs[entry.run_id] = None
                    self._tombstones.digests.update(
                        {item.sequence: item.digest for item in tombstone.removed}
                    )
                else:
                    self._later.add(entry, read_amendment(entry.payload))

    def _walk(self) -> Iterator[int]:
        """Goes along the chain, some entries at a time, and tells how many they were."""
        entries = self._store.entries()
        while some := list(itertools.islice(entries, _AT_ONCE)):
            runs = []
            for entry in some:
                self._check_place(entry, *self._last)
                self._last = entry.sequence, entry.link
                if self._findings.concerns(entry.run_id) and (run := self._checked_payload(entry)):
                    runs.append((entry, self._later.amended(run)))
            if runs:
                self._searched.check(runs)
            for entry, run in runs:
                self._add_contents(entry, run)
            self._entries += len(some)
            self._report(Progress(stage="verify", done=self._entries, total=None, unit="entries"))
            yield len(some)

    def _add_contents(self, entry: Entry, run: Run) -> None:
        try:
            self._contents.add(run, blobs_of(run))
        except ValueError as error:
            self._findings.add_of(entry, "record", f"was amended with what cannot be read: {error}")

    def _check_end(self) -> None:
        sequence, link = self._last
        head_sequence, head_link = self._store.head()
        if sequence < head_sequence:
            self._findings.add(
                None, "chain", f"{_entries(sequence + 1, head_sequence)} missing at the chain's end"
            )
        elif (sequence, link) != (head_sequence, head_link):
            self._findings.add(None, "chain", "the chain's end is not the one that was noted")

    def _check_place(self, entry: Entry, sequence: int, link: Digest) -> None:
        """That the entry follows the one before it, and is named by what it says."""
        if entry.sequence != sequence + 1:
            missing = _entries(sequence + 1, entry.sequence - 1)
            self._findings.add(None, "chain", f"{missing} missing before that of run `{entry.run_id}`")
        elif entry.previous != link:
            self._findings.add_of(entry, "link", "does not follow from the one before it")
        if entry.link != entry.expected_link:
            self._findings.add_of(entry, "link", "is not what was sealed: its link does not fit")

    def _checked_payload(self, entry: Entry) -> Run | None:
        """The run whose record the entry holds, if it holds one that can be read."""
        if entry.payload is None:
            if self._tombstones.digests.get(entry.sequence) != entry.digest:
                self._findings.add_of(entry, "record", "holds nothing, and no tombstone says why")
        elif Digest.of(entry.payload) != entry.digest:
            self._findings.add_of(entry, "record", "has been altered: its digest does not fit")
        else:
            try:
                if not is_canonical(entry.payload):
                    self._findings.add_of(entry, "record", "is not in canonical form")
                return self._checked_document(entry, entry.payload)
            except ValueError as error:
                self._findings.add_of(entry, "record", f"cannot be read: {error}")
        return None

    def _checked_document(self, entry: Entry, payload: bytes) -> Run | None:
        run: Run | None = None
        match entry.kind:
            case EntryKind.RUN:
                document = decode(payload, RecordDocument)
                run = run_of(document, name=self._findings.name(entry.run_id))
                identity = None if document.plan is None else document.plan.identity
                if document.plan_digest != identity:
                    self._findings.add_of(entry, "plan", "names a plan that is not the one it holds")
                owner = run.run_id
            case EntryKind.IMPORT:
                run = read_import(payload, name=self._findings.name(entry.run_id))
                owner = run.run_id
            case EntryKind.AMENDMENT:
                owner = read_amendment(payload).run_id
            case EntryKind.TOMBSTONE:
                owner = read_tombstone(payload).run_id
        if owner != entry.run_id:
            self._findings.add_of(entry, "record", f"belongs to run `{owner}`")
        if run is not None:
            self._runs.add(run.run_id)
        return run

    def _tell_of_contents(self) -> None:
        """Goes along the chain again, for whose the content is with which something is wrong."""
        for entry in self._store.entries(EntryKind.RUN, EntryKind.IMPORT):
            if entry.payload is None or not self._findings.concerns(entry.run_id):
                continue
            with contextlib.suppress(ValueError):
                run = self._later.amended(_read(entry.kind, entry.payload))
                for part, message in self._contents.faults(run, blobs_of(run)):
                    self._findings.add(run.run_id, part, message)

    def _check_rows(self, rows: tuple[Listed, ...]) -> None:
        """That every run which says that it is sealed is in the chain, and one that was removed is too."""
        named = {problem.run_id for problem in self._findings.problems}
        for row in rows:
            if row.run_id in named or not self._findings.concerns(row.run_id):
                continue
            if row.forgotten and row.run_id not in self._tombstones.runs:
                self._findings.add(row.run_id, "record", "is hidden as removed, and no tombstone says why")
            elif row.ended and row.run_id not in self._runs and row.run_id not in self._tombstones.runs:
                self._findings.add(row.run_id, "record", "the chain holds no record of the run")


def _read(kind: EntryKind, payload: bytes) -> Run:
    if kind is EntryKind.IMPORT:
        return read_import(payload, name="")
    return run_of(decode(payload, RecordDocument), name="")


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first >= last else f"entries {first} to {last} are"
