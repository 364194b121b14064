"""Checks a bundle from its first byte to its last, and names what is not as it was when it was written."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from mlproj.errors import Altered, UsageError
from mlproj.exports.container import Member, read_content, read_members
from mlproj.exports.paths import Taken, complaint
from mlproj.model import bundle
from mlproj.model.bundle import ATTACHED, BUNDLE_SCHEMA, BundleDocument, Place
from mlproj.model.digest import Digest, canonical, folder_manifest, read_manifest, readable
from mlproj.model.entries import read_amendment
from mlproj.model.events import Ended, Progress, Report, Started, silent
from mlproj.model.moment import milliseconds
from mlproj.model.record import (
    LINK_SCHEMA,
    RECORD_SCHEMA,
    EntryKind,
    RecordDocument,
    decode,
    read_document,
)
from mlproj.model.run import Run
from mlproj.services.bundle_layout import Layout, layout
from mlproj.settings import Limits

_LARGEST_DOCUMENT = 256 * 1024 * 1024
_BESIDE = (f"{bundle.ENVIRONMENT}/", f"{bundle.IMAGE}/")
_GENERATED = (bundle.DOCUMENT, bundle.MANIFEST, bundle.CRATE, bundle.RECORD, bundle.PLAN)


class BundleProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written: in which file of the bundle, or in the zip as a whole."""

    part: str
    message: str


class BundleVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked of a bundle and what was found; `run_id` is None where not even that can be told."""

    run_id: str | None
    run_name: str | None
    files: int
    size: int
    problems: tuple[BundleProblem, ...]

    @property
    def sound(self) -> bool:
        return not self.problems


class ChainLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the chain as its link is computed from it."""

    schema: str
    sequence: int
    kind: EntryKind
    run_id: str
    time: str
    payload: Digest
    previous: Digest


class Bundle:
    """A bundle whose every byte was checked. `members` are its files by path, `digests` their digests."""

    def __init__(
        self, file: BinaryIO, members: Mapping[str, Member], digests: Mapping[str, Digest], run: Run
    ) -> None:
        self._file = file
        self._members = members
        self.digests = digests
        self.run = run
        self.layout = Layout(places=(), attached=(), elsewhere={}, left_out=())
        self.parts: tuple[str, ...] = ()
        self.amendments: tuple[bytes, ...] = ()

    def size(self, path: str) -> int:
        return self._members[path].size

    def content(self, path: str) -> Iterator[bytes]:
        """What a file holds, a piece at a time."""
        return read_content(self._file, self._members[path])


def verify_bundle(path: Path, limits: Limits, report: Report = silent) -> BundleVerification:
    """Checks the bundle at `path`. Raises UsageError where there is no file that can be read."""
    with _opened(path) as file:
        checking = _Checking(file, limits, report)
        checking.everything()
        return checking.verification(path.stat().st_size)


@contextlib.contextmanager
def open_bundle(path: Path, limits: Limits, report: Report = silent) -> Iterator[Bundle]:
    """The bundle at `path`, checked whole. Raises Altered where anything is not as it was written, and
    UsageError where there is no file that can be read."""
    with _opened(path) as file:
        checking = _Checking(file, limits, report)
        found = checking.everything()
        if checking.problems or found is None:
            first, more = checking.problems[0], len(checking.problems) - 1
            counted = f", and {more} more" if more else ""
            raise Altered(
                f"`{path}` is no bundle that can be trusted: {first.part}: {first.message}{counted}",
                hint="`mlproj verify` of it tells all that is wrong",
            )
        yield found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if not path.is_file():
            raise UsageError(f"there is no file `{path}`")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error


class _Checking:
    """One walk over a bundle, with what was found on the way."""

    def __init__(self, file: BinaryIO, limits: Limits, report: Report) -> None:
        self._file = file
        self._limits = limits
        self._report = report
        self._members: dict[str, Member] = {}
        self._digests: dict[str, Digest] = {}
        self._run: Run | None = None
        self._name: str | None = None
        self.problems: list[BundleProblem] = []

    def verification(self, size: int) -> BundleVerification:
        return BundleVerification(
            run_id=None if self._run is None else self._run.run_id,
            run_name=self._name,
            files=len(self._members),
            size=size,
            problems=tuple(self.problems),
        )

    def everything(self) -> Bundle | None:
        """The bundle, which is only to be trusted if there are no problems."""
        self._report(Started(stage="verify"))
        try:
            self._check_container()
            self._check_names()
            if self.problems:
                return None
            self._check_contents()
            return None if self.problems else self._check_meaning()
        except Altered as error:
            self._problem("zip", error.message)
            return None
        finally:
            self._report(Ended(stage="verify"))

    def _check_container(self) -> None:
        members = read_members(self._file, most=self._limits.bundle_files)
        size = sum(member.size for member in members)
        if size > self._limits.bundle:
            limit = self._limits.bundle
            raise Altered(f"it holds {size} bytes, more than the {limit} that `MLPROJ_BUNDLE_LIMIT` allows")
        taken = Taken()
        for member in members:
            if member.name in self._members:
                self._problem(member.name, "is there twice")
            elif (reason := complaint(member.name)) is not None:
                self._problem(member.name, f"the path {reason}")
            elif not taken.take(member.name):
                self._problem(member.name, "is, on some systems, the same path as another")
            self._members[member.name] = member

    def _check_names(self) -> None:
        for name in (bundle.DOCUMENT, bundle.MANIFEST, bundle.CRATE, bundle.RECORD):
            if name not in self._members:
                self._problem(name, "is not in it")
        names = list(self._members)
        if names != [*_GENERATED[:3], *sorted(names[3:], key=str.encode)]:
            self._problem("zip", "its files are not in the order in which mlproj writes them")

    def _check_contents(self) -> None:
        listed = self._listed(self._document(bundle.MANIFEST))
        total, done = sum(member.size for member in self._members.values()), 0
        for name, member in self._members.items():
            if name == bundle.MANIFEST:
                continue
            hasher = hashlib.sha256()
            try:
                for piece in read_content(self._file, member):
                    hasher.update(piece)
                    done += len(piece)
                    self._report(Progress(stage="verify", done=done, total=total, unit="bytes"))
            except Altered as error:
                self._problem(name, error.message)
                continue
            digest = self._digests[name] = Digest.from_hex(hasher.hexdigest())
            if name not in listed:
                self._problem(name, f"`{bundle.MANIFEST}` does not name it")
            elif listed[name] != digest:
                self._problem(name, f"has been altered: its digest is not that of `{bundle.MANIFEST}`")
        for name in listed.keys() - self._members.keys():
            self._problem(name, f"`{bundle.MANIFEST}` names it, and it is not there")

    def _listed(self, manifest: bytes) -> dict[str, Digest]:
        try:
            entries = read_manifest(manifest)
            if folder_manifest((path, digest) for path, _, digest in entries) != manifest:
                raise ValueError("it is not as mlproj writes it")
        except ValueError as error:
            raise Altered(f"`{bundle.MANIFEST}` cannot be read: {error}") from error
        return {readable(path): digest for path, _, digest in entries}

    def _document(self, name: str) -> bytes:
        member = self._members[name]
        if member.size > _LARGEST_DOCUMENT:
            raise Altered(f"`{name}` is {member.size} bytes long, more than is read of such a file")
        return b"".join(read_content(self._file, member))

    def _check_meaning(self) -> Bundle | None:
        part = bundle.DOCUMENT
        try:
            document = decode(self._canonical(part), BundleDocument)
            if document.schema != BUNDLE_SCHEMA:
                raise ValueError(f"it is of a schema that this version does not know: {document.schema}")
            part = bundle.RECORD
            run = self._read_record(document)
            self._run, self._name = run, document.name
            part = bundle.CHAIN
            amendments = self._check_chain(run, document)
            part = bundle.DOCUMENT
            laid = self._check_layout(run, document)
        except ValueError as error:
            self._problem(part, f"cannot be what was written: {error}")
            return None
        found = Bundle(self._file, self._members, self._digests, run)
        found.layout, found.parts, found.amendments = laid, document.parts, amendments
        return found

    def _canonical(self, name: str) -> bytes:
        """A document of canonical JSON. Raises ValueError where it is none."""
        content = self._document(name)
        # As in JavaScript, whose notation this is, there are no integers apart from other numbers.
        if canonical(json.loads(content, parse_int=float)) != content:
            raise ValueError("it is not in canonical form")
        return content

    def _read_record(self, document: BundleDocument) -> Run:
        content = self._canonical(bundle.RECORD)
        if self._digests[bundle.RECORD] != document.record:
            raise ValueError(f"its digest is not the one in `{bundle.DOCUMENT}`")
        record = decode(content, RecordDocument)
        if record.schema != RECORD_SCHEMA:
            raise ValueError(f"it is of a schema that this version does not know: {record.schema}")
        if record.run_id != document.run_id:
            raise ValueError(f"it is that of run `{record.run_id}`, not of `{document.run_id}`")
        if record.outcome is None or record.job is None:
            raise ValueError("it is not that of a run that has ended")
        identity = None if record.plan is None else record.plan.identity
        if record.plan_digest != identity:
            raise ValueError("it names a plan that is not the one it holds")
        if record.plan is not None:
            self._check_is(bundle.PLAN, canonical(record.plan.document()))
        return read_document(content, name=document.name)

    def _check_is(self, name: str, content: bytes) -> None:
        if self._digests.get(name) != Digest.of(content):
            self._problem(name, "does not say what the record says")

    def _check_chain(self, run: Run, document: BundleDocument) -> tuple[bytes, ...]:
        """The amendments, in order. Raises ValueError where the links do not fit what they link."""
        paths = [name for name in self._members if name.startswith(f"{bundle.CHAIN}/")]
        links = sorted(
            (decode(self._canonical(path), ChainLink) for path in paths), key=lambda link: link.sequence
        )
        amendments = []
        for link in links:
            path = f"{bundle.CHAIN}/{link.sequence}.json"
            if link.schema != LINK_SCHEMA or link.run_id != run.run_id or path not in self._members:
                raise ValueError(f"`{path}` is not a link of run `{run.run_id}`")
            if milliseconds(link.time) is None:
                raise ValueError(f"`{path}` has no time")
            if link.kind is EntryKind.AMENDMENT:
                amendments.append(self._amendment(link, run))
            elif link.kind is not EntryKind.RUN or link.payload != document.record or link != links[0]:
                raise ValueError(f"`{path}` does not link the record")
        if not links:
            raise ValueError("no link of the chain is there")
        named = {f"{bundle.AMENDMENTS}/{link.sequence}.json" for link in links[1:]}
        there = {name for name in self._members if name.startswith(f"{bundle.AMENDMENTS}/")}
        if named != there:
            raise ValueError(f"links and amendments do not fit: {sorted(named ^ there)}")
        return tuple(amendments)

    def _amendment(self, link: ChainLink, run: Run) -> bytes:
        name = f"{bundle.AMENDMENTS}/{link.sequence}.json"
        if self._digests.get(name) != link.payload:
            raise ValueError(f"`{name}` is not what its link names")
        content = self._canonical(name)
        added = read_amendment(content)
        if added.run_id != run.run_id or added.kind == ATTACHED:
            raise ValueError(f"`{name}` is nothing that was added to the run")
        return content

    def _check_layout(self, run: Run, document: BundleDocument) -> Layout:
        """That each file is where the record says, and that there is none besides."""
        beside = self._beside(document)
        laid = layout(run, self._manifest, data=bundle.DATA in document.parts, beside=beside)
        for name, told, found in (
            ("elsewhere", document.elsewhere, laid.elsewhere),
            ("left_out", document.left_out, laid.left_out),
        ):
            if told != found:
                self._problem(bundle.DOCUMENT, f"what it says of `{name}` is not what the record says")
        for place in laid.places:
            self._check_place(place)
        known = {place.path for place in laid.places} | set(_GENERATED)
        linked = (f"{bundle.CHAIN}/", f"{bundle.AMENDMENTS}/")
        for name in self._members:
            if name not in known and not name.startswith(linked):
                self._problem(name, "nothing in the record names it")
        return laid

    def _check_place(self, place: Place) -> None:
        if place.path not in self._members:
            self._problem(place.path, "the record names it, and it is not there")
        elif self._digests[place.path] != place.digest:
            self._problem(place.path, "is not what the record names")
        elif self._members[place.path].executable != place.executable:
            self._problem(place.path, "has another mode than it had")

    def _manifest(self, digest: Digest) -> bytes:
        name = f"{bundle.MANIFESTS}/{digest.hex}.txt"
        if self._digests.get(name) != digest:
            raise ValueError(f"`{name}` is not there, or is not what its name says")
        return self._document(name)

    def _beside(self, document: BundleDocument) -> tuple[Place, ...]:
        """The files that no record places: packages, which the lock has to name, and an image."""
        unknown = set(document.parts) - set(bundle.PARTS)
        if unknown or list(document.parts) != sorted(set(document.parts), key=bundle.PARTS.index):
            raise ValueError(f"`parts` are not such as there are: {', '.join(document.parts)}")
        found = [Place(path=name, digest=self._digests[name]) for name in self._members if _is_beside(name)]
        folders = {place.path.split("/")[0] for place in found} - {bundle.ATTESTATION}
        if folders - set(document.parts):
            raise ValueError(f"`parts` do not name what is there: {', '.join(sorted(folders))}")
        lock = b"".join(self._document(name) for name in self._members if name.startswith(f"{bundle.LOCK}/"))
        for place in found:
            if place.path.startswith(_BESIDE[0]) and place.digest.hex.encode() not in lock:
                self._problem(place.path, "the lock names no such file")
        return tuple(found)

    def _problem(self, part: str, message: str) -> None:
        self.problems.append(BundleProblem(part=part, message=message))


def _is_beside(name: str) -> bool:
    return name.startswith(_BESIDE) or name == bundle.ATTESTATION


def is_bundle(path: Path) -> bool:
    """Whether a person who names `path` means a bundle rather than a run."""
    return path.suffix.lower() == ".zip" or path.is_file()
