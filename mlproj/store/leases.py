"""Leases: who has content in hand that no row names yet, so that nobody takes it for garbage.

A lease is a locked file, so it ends with the process that holds it, whatever ends that. It says since when it
is held, and which snapshots its holder found in the store and relies on without touching each of their files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from mlproj.files import locked, locked_now, write_all
from mlproj.model.digest import Digest
from mlproj.model.run import Run
from mlproj.model.source import SourceState
from mlproj.store.contained import KeptBlobs
from mlproj.store.far_leases import read_far_leases

_HELD, _NEW = "lease-", "new-lease-"
_GRAIN_S = 2.0
"""A file's times are as coarse as the file system's clock, at worst FAT's two seconds."""


class LeaseFile:
    """A lease that is held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def name(self, manifest: Digest) -> None:
        """Says that all which the manifest lists is wanted, for as long as the lease is held."""
        write_all(self._descriptor, f"{manifest}\n".encode())


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """What the leases that are held now keep: `since` is when the oldest began, in seconds since the epoch by
    the file system's clock (None where there is none); `manifests` are relied on with all that they list."""

    since: float | None
    manifests: frozenset[Digest]

    def keeps(self, used: float) -> bool:
        """Whether content that was last added or asked for at `used` may be somebody's."""
        return self.since is not None and used >= self.since


@contextlib.contextmanager
def held_lease(locks: Path) -> Iterator[LeaseFile]:
    """Holds a lease in the folder `locks` for the length of the `with`."""
    token = secrets.token_hex(8)
    new, path = locks / f"{_NEW}{token}", locks / f"{_HELD}{token}"
    with locked(new):
        # It gets its name once it is locked: nobody may take it for one whose holder has gone.
        descriptor = os.open(new, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            write_all(descriptor, f"{os.fstat(descriptor).st_mtime}\n".encode())
            new.rename(path)
            yield LeaseFile(descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            new.unlink(missing_ok=True)


def read_leases(locks: Path) -> Leased:
    """The leases that are held; files of those that ended without a word are removed."""
    began, manifests = read_far_leases(locks)
    for path in locks.glob(f"{_HELD}*"):
        if not _is_held(path):
            continue
        with contextlib.suppress(FileNotFoundError):
            since, *relied_on = path.read_text().splitlines()
            began.append(float(since))
            manifests.update(map(Digest, relied_on))
    return Leased(since=min(began) - _GRAIN_S if began else None, manifests=frozenset(manifests))


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with locked_now(path) as free:
            if free:
                path.unlink(missing_ok=True)
    except OSError:
        return True  # in a store that cannot be written to nobody can tell
    return not free


class FolderLease:
    """A `Lease` on the content of a store in a folder. `has_source` asks its database."""

    def __init__(self, file: LeaseFile, blobs: KeptBlobs, has_source: Callable[[SourceState], bool]) -> None:
        self._file = file
        self._blobs = blobs
        self._has_source = has_source

    def has_source(self, source: SourceState) -> bool:
        with self._blobs.adding():  # so that nobody removes between what we say and what we see
            self._file.name(source.snapshot)
            return source.snapshot in self._blobs and self._has_source(source)


def holds_all(run: Run, wanted: SourceState) -> bool:
    """Whether the run brought all that `wanted` holds: how much of a snapshot is held may be set anew."""
    if run.job is None or (run.outcome is not None and run.outcome.lost):
        return False
    held = run.job.source
    left_out = {file.digest for file in held.omitted} - {file.digest for file in wanted.omitted}
    return left_out <= {None} and held.omitted_manifest in (None, wanted.omitted_manifest)
