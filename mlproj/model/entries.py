"""The chain's smaller documents: what was added to a run after its seal, what was taken away and why, and
what was done to registered models."""

from __future__ import annotations

import msgspec

from mlproj.model.digest import Digest
from mlproj.model.record import decode
from mlproj.model.registry import Change

AMENDMENT_SCHEMA = "mlproj/amendment/1"
TOMBSTONE_SCHEMA = "mlproj/tombstone/1"
REGISTRY_SCHEMA = "mlproj/registry/1"
RENAMED = "experiment"
"""The kind of an amendment that tells of an experiment's new name: of no run, so its `run_id` is empty."""

UNDER = "under"
"""The kind of an amendment that says under which experiment a run was passed on, where its record names
another."""


class AmendmentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Something that came after a run's seal: a late tag, another name."""

    schema: str = AMENDMENT_SCHEMA
    run_id: str
    kind: str
    content: dict[str, str]


class RemovedPayload(msgspec.Struct, frozen=True, kw_only=True):
    """An entry whose payload was taken away; `digest` is what that payload's was."""

    sequence: int
    digest: Digest


class TombstoneDocument(msgspec.Struct, frozen=True, kw_only=True):
    """That a run was forgotten: which payloads went, by whose hand, when and why."""

    schema: str = TOMBSTONE_SCHEMA
    run_id: str
    removed: tuple[RemovedPayload, ...]
    who: str
    when: str
    why: str


def read_amendment(payload: bytes) -> AmendmentDocument:
    """Raises ValueError where the payload is no amendment."""
    document = decode(payload, AmendmentDocument)
    if document.schema != AMENDMENT_SCHEMA:
        raise ValueError(f"an amendment of another schema: {document.schema}")
    return document


def read_tombstone(payload: bytes) -> TombstoneDocument:
    """Raises ValueError where the payload is no tombstone."""
    document = decode(payload, TombstoneDocument)
    if document.schema != TOMBSTONE_SCHEMA:
        raise ValueError(f"a tombstone of another schema: {document.schema}")
    return document


class RegistryDocument(Change, frozen=True, kw_only=True):
    """What was done to a registered model. Of no run: the entry's `run_id` is empty."""

    schema: str


def registry_document(change: Change) -> RegistryDocument:
    return RegistryDocument(schema=REGISTRY_SCHEMA, **msgspec.structs.asdict(change))


def read_registry(payload: bytes) -> Change:
    """Raises ValueError where the payload tells of no change of the registry."""
    document = decode(payload, RegistryDocument)
    if document.schema != REGISTRY_SCHEMA:
        raise ValueError(f"a change of the registry of another schema: {document.schema}")
    fields = msgspec.structs.asdict(document)
    del fields["schema"]
    return Change(**fields)
