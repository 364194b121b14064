"""Which contents a record gives to whoever reads it: those that it holds, and none that it only names.

A record may name what it lacks: what was lost, and files that its snapshot leaves out. The store may hold
that by a run of somebody else, whose it is. Nobody gets at content by saying what its digest is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import BlobReference, blobs_of
from mlproj.model.run import Run
from mlproj.store_ports import BlobStore, ReadableBlobs

_SNAPSHOT = "source.snapshot"


class HeldBlobs:
    """Of `blobs` those that some runs hold."""

    def __init__(self, blobs: BlobStore, *runs: Run) -> None:
        self._blobs = blobs
        self._held = frozenset().union(*(held_by(run, blobs) for run in runs))

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._held and digest in self._blobs

    def path(self, digest: Digest) -> Path:
        if digest not in self._held:
            raise StoreError(f"the store holds no content with the digest `{digest}`")
        return self._blobs.path(digest)


def held_by(
    run: Run, blobs: ReadableBlobs, references: Iterable[BlobReference] | None = None
) -> frozenset[Digest]:
    """What the record of a run holds, or some of its `references`, with what their lists of files list."""
    lost = lost_of(run)
    found: set[Digest] = set()
    for reference in blobs_of(run) if references is None else references:
        if reference.digest in lost:
            continue
        found.add(reference.digest)
        if reference.manifest:
            listed = set(_listed(reference.digest, blobs)) - lost
            found |= listed - _omitted(run, blobs) if reference.part == _SNAPSHOT else listed
    return frozenset(found)


def lost_of(run: Run) -> frozenset[Digest]:
    """What a record says that never came into a store."""
    return frozenset() if run.outcome is None else frozenset(run.outcome.lost)


def _omitted(run: Run, blobs: ReadableBlobs) -> frozenset[Digest]:
    """What the snapshot of a run names and does not hold."""
    if run.job is None:
        return frozenset()
    source = run.job.source
    found = {file.digest for file in source.omitted if file.digest is not None}
    if source.omitted_manifest is not None and source.omitted_manifest not in lost_of(run):
        found.update(_listed(source.omitted_manifest, blobs))
    return frozenset(found)


def _listed(manifest: Digest, blobs: ReadableBlobs) -> Iterator[Digest]:
    if manifest in blobs:
        with contextlib.suppress(ValueError):
            yield from (digest for _, _, digest in read_manifest(blobs.path(manifest).read_bytes()))
