"""`mlproj verify`: recomputes everything that was sealed, and names what is not as it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlproj.errors import Altered, RunNotFound, StoreError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, canonical, read_manifest, readable
from mlproj.model.entries import read_amendment, read_tombstone
from mlproj.model.events import Ended, Progress, Report, Started, silent
from mlproj.model.index import index_of
from mlproj.model.record import (
    GENESIS,
    Entry,
    EntryKind,
    RecordDocument,
    blobs_of,
    decode,
    read_document,
    read_import,
)
from mlproj.model.run import Run
from mlproj.ports import Listed, RunStore
from mlproj.services.later import Later
from mlproj.services.noted_folders import Folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it was sealed: of which run (None for the chain as a whole) and which part."""

    run_id: str | None
    run_name: str | None
    part: str
    message: str


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


def verify(store: RunStore, run: Run | None = None, report: Report = silent) -> Verification:
    """Checks the whole chain, and the content of every run or of `run` alone.

    A damaged database is a problem like another, so this raises nothing for what it finds.
    """
    return _Check(store, None if run is None else run.run_id, report).everything()


@dataclass(slots=True)
class _Tombstones:
    """What the tombstones of a chain say was taken away."""

    digests: dict[int, Digest] = field(default_factory=dict)
    runs: dict[str, None] = field(default_factory=dict)


class _Check:
    """One walk over a store, with what was found on the way."""

    def __init__(self, store: RunStore, only: str | None, report: Report) -> None:
        self._store = store
        self._only = only
        self._report = report
        self._problems: list[Problem] = []
        self._names: dict[str, str] = {}
        self._blobs: dict[Digest, str | None] = {}
        self._entries = 0
        self._runs: dict[str, None] = {}
        self._tombstones = _Tombstones()
        self._later = Later()
        self._folders = Folders()

    def everything(self) -> Verification:
        self._report(Started(stage="verify"))
        try:
            for fault in self._store.faults():
                self._problem(None, "database", fault)
            rows = self._store.listing()
            self._names = {row.run_id: row.name for row in rows}
            self._read_ahead()
            self._check_chain()
            self._check_rows(rows)
            for run_id, message in self._folders.problems(self._store, whole=self._only is None):
                self._problem(run_id, "index.folders", message)
        except (StoreError, Altered) as error:
            self._problem(None, "database", error.message)
        self._report(Ended(stage="verify"))
        return Verification(
            entries=self._entries,
            runs=len(self._runs),
            blobs=len(self._blobs),
            removed=tuple(self._tombstones.runs),
            problems=tuple(self._problems),
        )

    def _read_ahead(self) -> None:
        """Reads what must be known of later entries while the chain is walked."""
        for entry in self._store.entries():
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
                elif entry.kind is EntryKind.AMENDMENT:
                    self._later.add(entry, read_amendment(entry.payload))

    def _check_chain(self) -> None:
        sequence, link = 0, GENESIS
        for entry in self._store.entries():
            self._entries += 1
            self._check_place(entry, sequence, link)
            sequence, link = entry.sequence, entry.link
            if self._only in (None, entry.run_id):
                self._check_payload(entry)
            self._report(Progress(stage="verify", done=self._entries, total=None, unit="entries"))
        head_sequence, head_link = self._store.head()
        if sequence < head_sequence:
            self._problem(
                None, "chain", f"{_entries(sequence + 1, head_sequence)} missing at the chain's end"
            )
        elif (sequence, link) != (head_sequence, head_link):
            self._problem(None, "chain", "the chain's end is not the one that was noted")

    def _check_place(self, entry: Entry, sequence: int, link: Digest) -> None:
        """That the entry follows the one before it, and is named by what it says."""
        if entry.sequence != sequence + 1:
            missing = _entries(sequence + 1, entry.sequence - 1)
            self._problem(None, "chain", f"{missing} missing before that of run `{entry.run_id}`")
        elif entry.previous != link:
            self._entry_problem(entry, "link", "does not follow from the one before it")
        if entry.link != entry.expected_link:
            self._entry_problem(entry, "link", "is not what was sealed: its link does not fit")

    def _check_payload(self, entry: Entry) -> None:
        if entry.payload is None:
            if self._tombstones.digests.get(entry.sequence) != entry.digest:
                self._entry_problem(entry, "record", "holds nothing, and no tombstone says why")
            return
        if Digest.of(entry.payload) != entry.digest:
            self._entry_problem(entry, "record", "has been altered: its digest does not fit")
            return
        try:
            # As in JavaScript, whose notation this is, there are no integers apart from other numbers.
            if canonical(json.loads(entry.payload, parse_int=float)) != entry.payload:
                self._entry_problem(entry, "record", "is not in canonical form")
            self._check_document(entry, entry.payload)
        except ValueError as error:
            self._entry_problem(entry, "record", f"cannot be read: {error}")

    def _check_document(self, entry: Entry, payload: bytes) -> None:
        match entry.kind:
            case EntryKind.RUN:
                self._check_run(entry, read_document(payload, name=self._name(entry.run_id)))
                self._check_plan(entry, payload)
            case EntryKind.IMPORT:
                self._check_run(entry, read_import(payload, name=self._name(entry.run_id)))
            case EntryKind.AMENDMENT:
                self._check_owner(entry, read_amendment(payload).run_id)
            case EntryKind.TOMBSTONE:
                self._check_owner(entry, read_tombstone(payload).run_id)

    def _check_owner(self, entry: Entry, run_id: str) -> None:
        if run_id != entry.run_id:
            self._entry_problem(entry, "record", f"belongs to run `{run_id}`")

    def _check_run(self, entry: Entry, run: Run) -> None:
        self._runs[run.run_id] = None
        self._check_owner(entry, run.run_id)
        self._check_index(entry, run)
        for digest, part in self._named(run):
            fault = self._fault(digest)
            if fault is not None:
                self._problem(run.run_id, part, f"the content `{digest}` {fault}")

    def _check_plan(self, entry: Entry, payload: bytes) -> None:
        document = decode(payload, RecordDocument)
        identity = None if document.plan is None else document.plan.identity
        if document.plan_digest != identity:
            self._entry_problem(entry, "plan", "names a plan that is not the one it holds")

    def _check_index(self, entry: Entry, run: Run) -> None:
        try:
            found = self._store.index(run.run_id)
        except RunNotFound:
            self._entry_problem(entry, "index", "is of a run that is no longer listed")
            return
        try:
            index = index_of(self._later.amended(run))
            history = self._history(run, found.get("history"))
        except (KeyError, ValueError) as error:
            self._entry_problem(entry, "record", f"was amended with what cannot be read: {error}")
            return
        expected: Mapping[str, object] = {
            **index.mapping(),
            "experiment": self._later.experiment(index.experiment, entry.sequence),
            "record": entry.digest,
            "sequence": entry.sequence,
            "history": history,
        }
        for name, value in expected.items():
            if found.get(name) != value:
                told = f"says {_shown(found.get(name), value)}, not {_shown(value, found.get(name))}"
                self._problem(run.run_id, f"index.{name}", f"what is searched of the run {told}")

    def _history(self, run: Run, found: object) -> object:
        """The digest of every point of every metric that there should be; what was `found`, where more came
        to the record's points and those are lost."""
        logged = None if run.outcome is None or run.outcome.logged is None else run.outcome.logged.history
        if logged is None:
            return self._later.history(run, None)
        if self._fault(logged) is not None:
            return found if self._later.adds_points(run) else logged
        return self._later.history(run, self._store.blobs.path(logged))

    def _check_rows(self, rows: tuple[Listed, ...]) -> None:
        """That every run which says that it is sealed is in the chain, and one that was removed is too."""
        named = {problem.run_id for problem in self._problems}
        for row in rows:
            if row.run_id in named or self._only not in (None, row.run_id):
                continue
            if row.forgotten and row.run_id not in self._tombstones.runs:
                self._problem(row.run_id, "record", "is hidden as removed, and no tombstone says why")
            elif row.ended and row.run_id not in self._runs and row.run_id not in self._tombstones.runs:
                self._problem(row.run_id, "record", "the chain holds no record of the run")

    def _named(self, run: Run) -> Iterator[tuple[Digest, str]]:
        """Every blob that must be there for the run, with the part that it is."""
        lost = set() if run.outcome is None else set(run.outcome.lost)
        omitted = self._omitted(run)
        for reference in blobs_of(run):
            if reference.digest in lost:
                continue
            yield reference.digest, reference.part
            if reference.manifest and self._fault(reference.digest) is None:
                self._folders.add(run, reference)
                yield from (
                    (digest, f"{reference.part}/{path}")
                    for path, digest in self._listed(run, reference.digest, reference.part)
                    if digest not in lost and digest not in omitted
                )

    def _omitted(self, run: Run) -> set[Digest | None]:
        """The files that the snapshot names and does not hold."""
        if run.job is None:
            return set()
        source = run.job.source
        omitted = {file.digest for file in source.omitted}
        if source.omitted_manifest is not None and self._fault(source.omitted_manifest) is None:
            listed = self._listed(run, source.omitted_manifest, "source.omitted_manifest")
            omitted.update(digest for _, digest in listed)
        return omitted

    def _listed(self, run: Run, digest: Digest, part: str) -> Iterator[tuple[str, Digest]]:
        try:
            entries = read_manifest(self._store.blobs.path(digest).read_bytes())
        except ValueError as error:
            self._problem(run.run_id, part, f"the list of files cannot be read: {error}")
            return
        for path, _, listed in entries:
            yield readable(path), listed

    def _fault(self, digest: Digest) -> str | None:
        """What is wrong with a blob; each is read once, however many runs name it."""
        if digest not in self._blobs:
            self._blobs[digest] = self._read_blob(digest)
        return self._blobs[digest]

    def _read_blob(self, digest: Digest) -> str | None:
        if digest not in self._store.blobs:
            return "is missing"
        try:
            found, _ = digest_of(self._store.blobs.path(digest))
        except (OSError, StoreError) as error:
            return f"cannot be read: {error}"
        return None if found == digest else "has been altered"

    def _name(self, run_id: str) -> str:
        return self._names.get(run_id, "")

    def _entry_problem(self, entry: Entry, part: str, message: str) -> None:
        if self._only in (None, entry.run_id):
            self._problem(entry.run_id, part, f"entry {entry.sequence} ({entry.kind.value}) {message}")

    def _problem(self, run_id: str | None, part: str, message: str) -> None:
        name = None if run_id is None else self._names.get(run_id)
        self._problems.append(Problem(run_id=run_id, run_name=name, part=part, message=message))


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first >= last else f"entries {first} to {last} are"


def _shown(value: object, other: object) -> str:
    """A value for a sentence, in a mapping or set only what the other does not have."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return repr({key: item for key, item in value.items() if other.get(key) != item})
    if isinstance(value, frozenset) and isinstance(other, frozenset):
        return repr(sorted(value - other, key=repr))
    return "nothing" if value is None else f"`{value}`"
