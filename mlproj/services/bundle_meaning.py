"""What the documents of a bundle say: that record, plan, chain and files are those of one run."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from mlproj.model import bundle
from mlproj.model.bundle import ATTACHED, BUNDLE_SCHEMA, BundleDocument, Place
from mlproj.model.digest import Digest, canonical, is_canonical
from mlproj.model.entries import read_amendment
from mlproj.model.index import index_of
from mlproj.model.record import (
    LINK_SCHEMA,
    RECORD_SCHEMA,
    EntryKind,
    RecordDocument,
    decode,
    read_document,
)
from mlproj.model.run import Amendment, Run
from mlproj.services.bundle_contents import Contents, Tell
from mlproj.services.bundle_layout import Layout, layout

_RUN_ID = re.compile("[0-9a-f]{32}")
_GENERATED = (bundle.DOCUMENT, bundle.MANIFEST, bundle.CRATE, bundle.RECORD, bundle.PLAN)


class ChainLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the chain as its link is computed from it."""

    schema: str
    sequence: int
    kind: EntryKind
    run_id: str
    time: str
    payload: Digest
    previous: Digest


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle holds: a run as it was sealed, and the documents of what was added to it, in order."""

    run: Run
    parts: tuple[str, ...]
    amendments: tuple[bytes, ...]
    layout: Layout


def read_meaning(contents: Contents, tell: Tell) -> Meaning | None:
    """What contents whose bytes are in order mean; only to be used where nothing was told. None where they
    cannot be read at all. Raises Altered for a document that is too large."""
    reading = _Reading(contents, tell)
    try:
        return reading.everything()
    except ValueError as error:
        tell(reading.part, f"cannot be what was written: {error}")
        return None


class _Reading:
    """One walk over the documents; `part` is the one that is being read."""

    def __init__(self, contents: Contents, tell: Tell) -> None:
        self._contents = contents
        self._digests = contents.digests
        self._tell = tell
        self.part = bundle.DOCUMENT

    def everything(self) -> Meaning:
        document = decode(self._canonical(self.part), BundleDocument)
        if document.schema != BUNDLE_SCHEMA:
            raise ValueError(f"it is of a schema that this version does not know: {document.schema}")
        self.part = bundle.RECORD
        run = self._record(document)
        self.part = bundle.CHAIN
        amendments = self._chain(run, document)
        self.part = bundle.AMENDMENTS
        amended = _amended(run, amendments)
        self.part = bundle.DOCUMENT
        laid = layout(
            amended, self._manifest, data=bundle.DATA in document.parts, beside=self._beside(document)
        )
        self._check_layout(document, laid)
        return Meaning(run=run, parts=document.parts, amendments=amendments, layout=laid)

    def _canonical(self, path: str) -> bytes:
        """A document of canonical JSON. Raises ValueError where it is none."""
        content = self._contents.document(path)
        if not is_canonical(content):
            raise ValueError("it is not in canonical form")
        return content

    def _record(self, document: BundleDocument) -> Run:
        content = self._canonical(bundle.RECORD)
        if self._digests[bundle.RECORD] != document.record:
            raise ValueError(f"its digest is not the one in `{bundle.DOCUMENT}`")
        record = decode(content, RecordDocument)
        if record.schema != RECORD_SCHEMA:
            raise ValueError(f"it is of a schema that this version does not know: {record.schema}")
        if record.run_id != document.run_id:
            raise ValueError(f"it is that of run `{record.run_id}`, not of `{document.run_id}`")
        if _RUN_ID.fullmatch(record.run_id) is None:  # it names files in a store
            raise ValueError(f"`{record.run_id}` cannot be the id of a run")
        if record.outcome is None or record.job is None:
            raise ValueError("it is not that of a run that has ended")
        if record.plan_digest != (None if record.plan is None else record.plan.identity):
            raise ValueError("it names a plan that is not the one it holds")
        if record.plan is not None:
            plan = Digest.of(canonical(record.plan.document()))
            if self._digests.get(bundle.PLAN) != plan:
                self._tell(bundle.PLAN, "does not say what the record says")
        return read_document(content, name=document.name)

    def _chain(self, run: Run, document: BundleDocument) -> tuple[bytes, ...]:
        """The amendments, in order. Raises ValueError where links do not fit what they link."""
        links = {
            path: decode(self._canonical(path), ChainLink) for path in self._contents.below(bundle.CHAIN)
        }
        ordered = sorted(links.values(), key=lambda link: link.sequence)
        for path, link in links.items():
            if path != f"{bundle.CHAIN}/{link.sequence}.json" or link.schema != LINK_SCHEMA:
                raise ValueError(f"`{path}` is no link of a chain")
            if link.run_id != run.run_id:
                raise ValueError(f"`{path}` is a link of run `{link.run_id}`")
            if link.kind is not (EntryKind.RUN if link == ordered[0] else EntryKind.AMENDMENT):
                raise ValueError(f"`{path}` does not link what it should")
        named = tuple(self._digests[f"{bundle.CHAIN}/{link.sequence}.json"] for link in ordered)
        if named != document.links:
            raise ValueError(f"its links are not those that `{bundle.DOCUMENT}` names")
        if not ordered or ordered[0].payload != document.record:
            raise ValueError("it does not link the record")
        linked = {f"{bundle.AMENDMENTS}/{link.sequence}.json": link.payload for link in ordered[1:]}
        if linked.keys() != set(self._contents.below(bundle.AMENDMENTS)):
            raise ValueError("links and amendments do not fit")
        return tuple(self._amendment(path, digest, run) for path, digest in linked.items())

    def _amendment(self, path: str, digest: Digest, run: Run) -> bytes:
        if self._digests[path] != digest:
            raise ValueError(f"`{path}` is not what its link names")
        content = self._canonical(path)
        added = read_amendment(content)
        if added.run_id != run.run_id or added.kind == ATTACHED:
            raise ValueError(f"`{path}` is nothing that was added to the run")
        return content

    def _manifest(self, digest: Digest) -> bytes:
        path = f"{bundle.MANIFESTS}/{digest.hex}.txt"
        if self._digests.get(path) != digest:
            raise ValueError(f"`{path}` is not there, or is not what its name says")
        return self._contents.document(path)

    def _beside(self, document: BundleDocument) -> tuple[Place, ...]:
        """The files that no record places: packages, which the lock has to name, and an image."""
        unknown = set(document.parts) - set(bundle.PARTS)
        if unknown or list(document.parts) != sorted(set(document.parts), key=bundle.PARTS.index):
            raise ValueError(f"`parts` are not such as there are: {', '.join(document.parts)}")
        packages, images = map(self._contents.below, (bundle.ENVIRONMENT, bundle.IMAGE))
        for part, paths in ((bundle.ENVIRONMENT, packages), (bundle.IMAGE, images)):
            if paths and part not in document.parts:
                raise ValueError(f"`parts` do not name what is there: {part}")
        lock = b"".join(map(self._contents.document, self._contents.below(bundle.LOCK)))
        for path in packages:
            if self._digests[path].hex.encode() not in lock:
                self._tell(path, "the lock names no such file")
        return tuple(Place(path=path, digest=self._digests[path]) for path in (*packages, *images))

    def _check_layout(self, document: BundleDocument, laid: Layout) -> None:
        """That each file is where the record says, and that there is none besides."""
        for name, is_as_told in (
            ("elsewhere", document.elsewhere == laid.elsewhere),
            ("left_out", document.left_out == laid.left_out),
        ):
            if not is_as_told:
                self._tell(bundle.DOCUMENT, f"what it says of `{name}` is not what the record says")
        for place in laid.places:
            self._check_place(place)
        known = {place.path for place in laid.places} | set(_GENERATED)
        known.update(self._contents.below(bundle.CHAIN), self._contents.below(bundle.AMENDMENTS))
        for path in self._digests.keys() - known:
            self._tell(path, "nothing in the record names it")

    def _check_place(self, place: Place) -> None:
        if place.path not in self._digests:
            self._tell(place.path, "the record names it, and it is not there")
        elif self._digests[place.path] != place.digest:
            self._tell(place.path, "is not what the record names")
        elif self._contents.is_executable(place.path) != place.executable:
            self._tell(place.path, "has another mode than it had")


def _amended(run: Run, amendments: tuple[bytes, ...]) -> Run:
    """The run with what was added to it, as a store can take it. Raises ValueError where none can."""
    added = tuple(
        Amendment(sequence=0, time="", kind=document.kind, content=document.content)
        for document in map(read_amendment, amendments)
    )
    amended = replace(run, amendments=added)
    try:
        index_of(amended)
    except (KeyError, OverflowError) as error:
        raise ValueError(f"they do not say what such ones have to say: {error}") from error
    return amended
