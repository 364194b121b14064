"""What a bundle says of itself, and what of a run is to be in it where."""

from __future__ import annotations

import msgspec

from mlproj.model.digest import Digest

BUNDLE_SCHEMA = "mlproj/bundle/1"
ATTACHED = "attached"
"""The kind of an amendment that names what came with a run beside its record: `manifest` lists it, `bundle`
is the digest of the file that it came in, `record` says whether the record itself was new or known here."""
NEW, KNOWN = "new", "known"

DOCUMENT = "bundle.json"
MANIFEST = "manifest-sha256.txt"
CRATE = "ro-crate-metadata.json"
RECORD = "record.json"
PLAN = "plan.json"
ATTESTATIONS = "attestation"
"""How the names begin of the signed statements of the run."""
CHAIN, AMENDMENTS, MANIFESTS, BLOBS = "chain", "amendments", "manifests", "blobs"
SOURCE, LOCK, OUTPUTS, LOGS, LOGGED = "source", "lock", "outputs", "logs", "logged"
DATA, ENVIRONMENT, IMAGE = "data", "environment", "image"
PARTS = (DATA, ENVIRONMENT, IMAGE)
"""What is in a bundle only if it is asked for: each a folder of it."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the run names and the bundle does not hold, by the path that it would have."""

    path: str
    reason: str
    digest: Digest | None = None


class BundleDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`links` are those of the run's entries in the chain, `parts` those of PARTS that are in it. `elsewhere`
    says where a file lies whose own path would not be the same on every system."""

    schema: str
    run_id: str
    name: str
    record: Digest
    links: tuple[Digest, ...]
    parts: tuple[str, ...] = ()
    elsewhere: dict[str, str] = {}
    left_out: tuple[LeftOut, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a bundle by its content."""

    path: str
    digest: Digest
    executable: bool = False
