"""A walk along a stretch of the chain: each entry's place, its payload, what is searched of it, and what
content it names. Stretches may be walked at the same time, by programs that know nothing of each other."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from mlproj.model.digest import Digest, is_canonical
from mlproj.model.entries import read_amendment, read_registry, read_tombstone
from mlproj.model.record import (
    GENESIS,
    Entry,
    EntryKind,
    RecordDocument,
    blobs_of,
    decode,
    left_folders,
    read_import,
    run_of,
)
from mlproj.model.run import Run
from mlproj.services.contents import Contents, Named
from mlproj.services.findings import Findings, Problem
from mlproj.services.later import Later
from mlproj.services.searched import Searched
from mlproj.store_ports import RunStore

_AT_ONCE = 64
"""So many entries are looked at before anything is told of them."""

Place = tuple[int, Digest]
"""Number and link of an entry."""
BEGINNING: Place = (0, GENESIS)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in some entries that follow each other, of which `last` is the last one."""

    entries: int
    last: Place
    runs: tuple[str, ...]
    problems: tuple[Problem, ...]
    named: Named
    left: tuple[tuple[Digest, str], ...]
    """The lists of files that are folders among outputs, each with the run that left it."""


@dataclass(slots=True)
class _Tombstones:
    """What the tombstones of a chain say was taken away."""

    digests: dict[int, Digest] = field(default_factory=dict)
    runs: dict[str, None] = field(default_factory=dict)


class Walk:
    """Knows what came later in the chain; walks where it is asked to. Content is looked at of the run `only`
    alone, where one is named; so are entries where it stands `alone`, because others are not ours to read:
    then that each one follows from the one before it, and how its experiment was renamed, is not known."""

    def __init__(self, store: RunStore, only: str | None, *, alone: bool = False) -> None:
        self._store = store
        self._of = only if alone else None
        self._findings = Findings(only=only)
        self._contents = Contents(store.blobs)
        self._runs: list[str] = []
        self._left: list[tuple[Digest, str]] = []
        self.later = Later()
        self.tombstones = _Tombstones()
        self._searched = Searched(store, self.later, self._contents, self._findings, renames=not alone)
        self._read_ahead()

    def stretches(self, after: Place = BEGINNING, until: int | None = None) -> Iterator[Stretch]:
        """Goes along the chain from behind one entry to another, or to its end. Raises Altered."""
        following = self._store.entries(after=after[0] or None, run_id=self._of)
        entries = itertools.takewhile(lambda entry: until is None or entry.sequence <= until, following)
        last = after
        while some := list(itertools.islice(entries, _AT_ONCE)):
            runs = []
            for entry in some:
                self._check_place(entry, *last)
                last = entry.sequence, entry.link
                if self._findings.concerns(entry.run_id) and (run := self._checked_payload(entry)):
                    runs.append((entry, self.later.amended(run)))
            if runs:
                self._searched.check(runs)
            for entry, run in runs:
                self._add_contents(entry, run)
            yield self._told(len(some), last)

    def _told(self, entries: int, last: Place) -> Stretch:
        problems, self._findings.problems = tuple(self._findings.problems), []
        runs, self._runs = tuple(self._runs), []
        left, self._left = tuple(self._left), []
        named = self._contents.taken()
        return Stretch(entries=entries, last=last, runs=runs, problems=problems, named=named, left=left)

    def _read_ahead(self) -> None:
        """Reads what must be known of later entries while the chain is walked."""
        for entry in self._store.entries(EntryKind.TOMBSTONE, EntryKind.AMENDMENT, run_id=self._of):
            if entry.payload is None:
                continue
            # What cannot be read is named when the chain is walked.
            with contextlib.suppress(ValueError):
                if entry.kind is EntryKind.TOMBSTONE:
                    tombstone = read_tombstone(entry.payload)
                    self.tombstones.runs[entry.run_id] = None
                    self.tombstones.digests.update({item.sequence: item.digest for item in tombstone.removed})
                else:
                    self.later.add(entry, read_amendment(entry.payload))

    def _add_contents(self, entry: Entry, run: Run) -> None:
        try:
            references = blobs_of(run)
            self._contents.add(run, references)
            self._left += ((folder, run.run_id) for folder in left_folders(run))
        except ValueError as error:
            self._findings.add_of(entry, "record", f"was amended with what cannot be read: {error}")

    def _check_place(self, entry: Entry, sequence: int, link: Digest) -> None:
        """That the entry follows the one before it, and is named by what it says."""
        if self._of is not None:
            pass
        elif entry.sequence != sequence + 1:
            missing = numbered(sequence + 1, entry.sequence - 1)
            self._findings.add(None, "chain", f"{missing} missing before that of run `{entry.run_id}`")
        elif entry.previous != link:
            self._findings.add_of(entry, "link", "does not follow from the one before it")
        if entry.link != entry.expected_link:
            self._findings.add_of(entry, "link", "is not what was sealed: its link does not fit")

    def _checked_payload(self, entry: Entry) -> Run | None:
        """The run whose record the entry holds, if it holds one that can be read."""
        if entry.payload is None:
            if self.tombstones.digests.get(entry.sequence) != entry.digest:
                self._findings.add_of(entry, "record", "holds nothing, and no tombstone says why")
        elif Digest.of(entry.payload) != entry.digest:
            self._findings.add_of(entry, "record", "has been altered: its digest does not fit")
        else:
            try:
                if entry.kind is not EntryKind.RUN:
                    self._check_form(entry, entry.payload)
                return self._checked_document(entry, entry.payload)
            except ValueError as error:
                self._findings.add_of(entry, "record", f"cannot be read: {error}")
        return None

    def _checked_document(self, entry: Entry, payload: bytes) -> Run | None:
        run: Run | None = None
        match entry.kind:
            case EntryKind.RUN:
                document = self._record(entry, payload)
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
            case EntryKind.REGISTRY:
                read_registry(payload)
                owner = ""
        if owner != entry.run_id:
            self._findings.add_of(entry, "record", f"belongs to run `{owner}`")
        if run is not None:
            self._runs.append(run.run_id)
        return run

    def _record(self, entry: Entry, payload: bytes) -> RecordDocument:
        try:
            document = decode(payload, RecordDocument)
        except ValueError:
            self._check_form(entry, payload)
            raise
        self._check_form(entry, payload, document)
        return document

    def _check_form(self, entry: Entry, payload: bytes, document: RecordDocument | None = None) -> None:
        if not is_canonical(payload, document):
            self._findings.add_of(entry, "record", "is not in canonical form")


def numbered(first: int, last: int) -> str:
    """Which entries, for a sentence."""
    return f"entry {first} is" if first >= last else f"entries {first} to {last} are"
