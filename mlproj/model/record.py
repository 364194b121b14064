"""The sealed form of a run: a canonical document, and the chain of digests that holds them in order.

The chain links digests, not payloads, so that a payload can be taken away (with a tombstone) and the rest
still verifies. The format of every document is described in `docs/reference/record.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar

import msgspec

from mlproj.model.digest import Digest, canonical, plain
from mlproj.model.plan import Plan
from mlproj.model.run import Job, Outcome, Run

RECORD_SCHEMA = "mlproj/record/1"
OPENING_SCHEMA = "mlproj/opening/1"
GENESIS = Digest.from_hex("0" * 64)
"""What the first entry of a chain names as the one before it."""

T = TypeVar("T")


class EntryKind(str, Enum):
    """What a link of the chain stands for."""

    RUN = "run"
    AMENDMENT = "amendment"
    TOMBSTONE = "tombstone"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
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
        return link(
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
    return Digest.of(
        canonical(
            {
                "schema": "mlproj/link/1",
                "sequence": sequence,
                "kind": kind.value,
                "run_id": run_id,
                "time": time,
                "payload": str(digest),
                "previous": str(previous),
            }
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDocument:
    """What is sealed of a run. Name, description and lifecycle lie outside."""

    schema: str
    run_id: str
    created: str
    plan_digest: Digest | None
    plan: Plan | None
    job: Job | None
    outcome: Outcome | None
    reproduces: str | None = None


def seal_document(run: Run) -> bytes:
    """The canonical bytes of a run that has an outcome."""
    if run.outcome is None:
        raise ValueError("a run without an outcome cannot be sealed")
    return _encode(run, RECORD_SCHEMA)


def opening_document(run: Run) -> bytes:
    """The bytes kept of a run while it is running: all that closing it after a crash needs."""
    return _encode(replace(run, outcome=None), OPENING_SCHEMA)


def read_document(payload: bytes, *, name: str) -> Run:
    """The run that a record or opening holds; raises ValueError where it is not one."""
    document = decode(payload, RecordDocument)
    if document.schema not in (RECORD_SCHEMA, OPENING_SCHEMA):
        raise ValueError(f"a record of another schema: {document.schema}")
    run = Run(
        run_id=document.run_id,
        name=name,
        created=document.created,
        plan=document.plan,
        job=document.job,
        outcome=document.outcome,
        reproduces=document.reproduces,
    )
    return run if document.outcome is None else replace(run, status=document.outcome.status)


def encode(value: object) -> bytes:
    """Canonical JSON of a noun (frozen dataclasses, digests as `sha256:...`)."""
    return canonical(plain(value))


def decode(payload: bytes, kind: type[T]) -> T:
    """The noun that `encode` wrote; raises ValueError (msgspec's is one) where it does not fit."""
    return msgspec.json.decode(payload, type=kind, dec_hook=_from_text)


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


def _from_text(kind: type[Any], value: Any) -> Any:
    if kind is Digest:
        return Digest(value)
    raise TypeError(f"cannot read a {kind.__name__}")
