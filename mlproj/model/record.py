"""The sealed form of a run: a canonical document, and the chain of digests that holds them in order.

The chain links digests, not payloads, so that a payload can be taken away (with a tombstone) and the rest
still verifies. The format of every document is described in `docs/reference/record.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mlproj.model.bundle import ATTACHED, KNOWN
from mlproj.model.digest import Digest, Json, as_digest, canonical, plain
from mlproj.model.logged import Logged
from mlproj.model.plan import Plan
from mlproj.model.run import Amendment, Imported, Job, Outcome, Run, Status

RECORD_SCHEMA = "mlproj/record/1"
OPENING_SCHEMA = "mlproj/opening/1"
IMPORT_SCHEMA = "mlproj/import/1"
LINK_SCHEMA = "mlproj/link/1"
ATTESTED = "attested"
"""The kind of an amendment that names an attestation."""
GENESIS = Digest.from_hex("0" * 64)
"""What the first entry of a chain names as the one before it."""

_INTEGERS_END = 2**53

T = TypeVar("T")


class EntryKind(str, Enum):
    """What a link of the chain stands for."""

    RUN = "run"
    AMENDMENT = "amendment"
    TOMBSTONE = "tombstone"
    IMPORT = "import"
    REGISTRY = "registry"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain. `payload` is canonical JSON verbatim, None where a tombstone took it away."""

    sequence: int
    kind: EntryKind
    run_id: str
    time: str
    digest: Digest
    previous: Digest
    link: Digest
    payload: bytes | None

    @property
    def expected_link(self) -> Digest:
        return Digest.of(_link_bytes(self.document))

    @property
    def document(self) -> dict[str, Json]:
        """What the link is the digest of."""
        return link_document(
            sequence=self.sequence,
            kind=self.kind,
            run_id=self.run_id,
            time=self.time,
            digest=self.digest,
            previous=self.previous,
        )


def link(
    *, sequence: int, kind: EntryKind, run_id: str, time: str, digest: Digest, previous: Digest
) -> Digest:
    """The digest that names an entry: over its place, its kind, its payload's digest, and the one before."""
    document = link_document(
        sequence=sequence, kind=kind, run_id=run_id, time=time, digest=digest, previous=previous
    )
    return Digest.of(_link_bytes(document))


def _link_bytes(document: dict[str, Json]) -> bytes:
    """Its canonical form: of plain texts and a whole number msgspec writes the same, five times as fast."""
    content = msgspec.json.encode(document, order="sorted")
    is_plain = content.isascii() and b"\\" not in content and b"\x7f" not in content
    return content if is_plain else canonical(document)


def link_document(
    *, sequence: int, kind: EntryKind, run_id: str, time: str, digest: Digest, previous: Digest
) -> dict[str, Json]:
    """What an entry's link is the digest of."""
    return {
        "schema": LINK_SCHEMA,
        "sequence": sequence,
        "kind": kind.value,
        "run_id": run_id,
        "time": time,
        "payload": str(digest),
        "previous": str(previous),
    }


class RecordDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a run. Name, description and lifecycle lie outside."""

    schema: str
    run_id: str
    created: str
    plan_digest: Digest | None
    plan: Plan | None
    job: Job | None
    outcome: Outcome | None
    reproduces: str | None = None


class ImportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of history brought in from elsewhere: it has no plan of ours."""

    schema: str
    run_id: str
    created: str
    plan: None = None
    outcome: Outcome | None
    imported: Imported


class BlobReference(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that a record names, and as which part. A `manifest` lists further blobs."""

    digest: Digest
    part: str
    manifest: bool = False


def blobs_of(run: Run) -> tuple[BlobReference, ...]:
    """Every blob that the record of a run names itself; those that a manifest lists are not followed."""
    references = []
    if run.imported is not None:
        references.append(BlobReference(digest=run.imported.document, part="imported.document"))
    if run.job is not None:
        snapshot = run.job.source.snapshot
        references.append(BlobReference(digest=snapshot, part="source.snapshot", manifest=True))
        if run.job.source.omitted_manifest is not None:
            # What it lists is not held: it is no manifest of blobs.
            omitted = run.job.source.omitted_manifest
            references.append(BlobReference(digest=omitted, part="source.omitted_manifest"))
        if run.job.environment.lock_file is not None:
            lock_file = run.job.environment.lock_file
            references.append(BlobReference(digest=lock_file, part="environment.lock_file"))
    if run.outcome is not None:
        references += [BlobReference(digest=log.digest, part=f"logs.{log.name}") for log in run.outcome.logs]
        references += [
            BlobReference(
                digest=output.digest, part=f"outputs.{output.path}", manifest=output.kind == "folder"
            )
            for output in run.outcome.outputs
            if output.digest is not None and output.state == "written"
        ]
        references += blobs_of_logged(run.outcome.logged or Logged())
    return (*references, *blobs_added(run.amendments))


def left_folders(run: Run) -> tuple[Digest, ...]:
    """The folders among the outputs of a run, by their digests: of those that the store got, the lists."""
    lost = () if run.outcome is None else run.outcome.lost
    return tuple(
        reference.digest
        for reference in blobs_of(run)
        if reference.manifest and reference.part.startswith("outputs.") and reference.digest not in lost
    )


def was_brought(run: Run) -> bool:
    """Whether the record came in a bundle: it is somebody else's word, and not of this store's making."""
    brought = (amendment for amendment in run.amendments if amendment.kind == ATTACHED)
    return any(amendment.content.get("record") != KNOWN for amendment in brought)


def blobs_added(amendments: Iterable[Amendment]) -> Iterator[BlobReference]:
    """What came after a run's seal: the list of what a bundle brought beside the record, and the envelope of
    every attestation that was made. Raises ValueError where one names nothing."""
    for amendment in amendments:
        if amendment.kind == ATTACHED:
            manifest = Digest(amendment.content.get("manifest", ""))
            yield BlobReference(digest=manifest, part=ATTACHED, manifest=True)
        elif amendment.kind == ATTESTED:
            envelope = Digest(amendment.content.get("envelope", ""))
            yield BlobReference(digest=envelope, part=f"{ATTESTED}.{amendment.sequence}")


def blobs_of_logged(logged: Logged) -> list[BlobReference]:
    """Every blob that is named by what a script logged."""
    named = [("logged.history", logged.history), ("logged.traces", logged.traces)]
    for dataset in logged.datasets:
        named += [(f"logged.datasets.{dataset.name}.schema", dataset.schema)]
        named += [(f"logged.datasets.{dataset.name}.profile", dataset.profile)]
    return [BlobReference(digest=digest, part=part) for part, digest in named if digest is not None]


def seal_document(run: Run) -> bytes:
    """The canonical bytes of a run that has an outcome, or that was brought in from elsewhere."""
    if run.imported is not None:
        return encode(
            ImportDocument(
                schema=IMPORT_SCHEMA,
                run_id=run.run_id,
                created=run.created,
                outcome=run.outcome,
                imported=run.imported,
            )
        )
    if run.outcome is None:
        raise ValueError("a run without an outcome cannot be sealed")
    return _encode(run, RECORD_SCHEMA)


def opening_document(run: Run) -> bytes:
    """The bytes kept of a run while it is running: all that closing it after a crash needs."""
    return _encode(replace(run, outcome=None), OPENING_SCHEMA)


def read_document(payload: bytes, *, name: str) -> Run:
    """The run that a record or opening holds; raises ValueError where it is not one."""
    return run_of(decode(payload, RecordDocument), name=name)


def run_of(document: RecordDocument, *, name: str) -> Run:
    """The run that a record or opening tells of; raises ValueError where it is of another schema."""
    if document.schema not in (RECORD_SCHEMA, OPENING_SCHEMA):
        raise ValueError(f"a record of another schema: {document.schema}")
    run = Run(
        run_id=document.run_id,
        name=name,
        created=document.created,
        plan=document.plan,
        job=None if document.job is None else _as_floats(document.job),
        outcome=document.outcome,
        reproduces=document.reproduces,
    )
    return run if document.outcome is None else replace(run, status=document.outcome.status)


def read_import(payload: bytes, *, name: str) -> Run:
    """The run that an import wraps; raises ValueError where it is none."""
    document = decode(payload, ImportDocument)
    if document.schema != IMPORT_SCHEMA:
        raise ValueError(f"an import of another schema: {document.schema}")
    return Run(
        run_id=document.run_id,
        name=name,
        created=document.created,
        plan=None,
        job=None,
        outcome=document.outcome,
        status=Status.UNKNOWN if document.outcome is None else document.outcome.status,
        imported=document.imported,
    )


def encode(value: object) -> bytes:
    """Canonical JSON of a noun (frozen structs, digests as `sha256:...`)."""
    return canonical(plain(value))


def decode(payload: bytes, kind: type[T]) -> T:
    """The noun that `encode` wrote; raises ValueError (msgspec's is one) where it does not fit."""
    return msgspec.json.decode(payload, type=kind, dec_hook=as_digest)


def _as_floats(job: Job) -> Job:
    """JSON spells the float 1e17 like an integer, and of such a size it can only have been a float."""
    parameters = tuple(
        replace(item, value=float(item.value))
        if isinstance(item.value, int) and abs(item.value) >= _INTEGERS_END
        else item
        for item in job.parameters
    )
    return replace(job, parameters=parameters)


def _encode(run: Run, schema: str) -> bytes:
    return encode(
        RecordDocument(
            schema=schema,
            run_id=run.run_id,
            created=run.created,
            plan_digest=None if run.plan is None else run.plan.identity,
            plan=run.plan,
            job=run.job,
            outcome=run.outcome,
            reproduces=run.reproduces,
        )
    )
