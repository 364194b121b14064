"""Where a project's code comes from, and the state it was in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from mlproj.model.digest import Digest, snapshot_manifest

IS_OUTPUT, IS_SECRET = "a declared output", "looks like a secret"
"""Reasons of files that are in no snapshot, and are not digested."""

LISTED = 1000
"""How many files that a snapshot does not hold are named in a record itself."""


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A working tree to run in. `directory` is the project's folder, `root` the tree that holds it.

    `uri` is what was asked for, without credentials. `own` says that the tree was made for this run and
    is not the user's. `revision` is the branch, tag or commit that was asked for.
    """

    directory: Path
    root: Path
    uri: str
    revision: str | None = None
    own: bool = False


class Submodule(msgspec.Struct, frozen=True, kw_only=True):
    """A repository within the source's: `commit` is the one that is checked out, None where none is known."""

    path: str
    commit: str | None
    dirty: bool


class SnapshotFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file as it ran. `path` is relative to the root (undecodable bytes as surrogates), `mode` git's."""

    path: str
    mode: int
    digest: Digest
    size: int


class OmittedFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file that the snapshot names but does not hold; `digest` is set where it was at least read.

    One with a digest counts for the snapshot's identity as a held one does.
    """

    path: str
    reason: str
    size: int | None = None
    digest: Digest | None = None
    mode: int = 0o100644


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The files of the source tree at `root` at one moment; the digest of its manifest is its name."""

    root: Path
    files: tuple[SnapshotFile, ...]
    omitted: tuple[OmittedFile, ...] = ()

    @property
    def manifest(self) -> bytes:
        return _manifest(self.read)

    @property
    def read(self) -> tuple[SnapshotFile | OmittedFile, ...]:
        """The files that count for the identity: those that are held, and those that were only digested."""
        omitted = tuple(file for file in self.omitted if file.digest is not None)
        return (*self.files, *omitted) if omitted else self.files

    @property
    def omitted_manifest(self) -> bytes | None:
        """The files that were digested and are not held, where they are too many for a record."""
        if len(self.omitted) <= LISTED:
            return None
        return _manifest(file for file in self.omitted if file.digest is not None)

    @cached_property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)


def _manifest(files: Iterable[SnapshotFile | OmittedFile]) -> bytes:
    return snapshot_manifest(
        [
            (file.path.encode("utf-8", "surrogateescape"), file.mode, file.digest)
            for file in files
            if file.digest is not None
        ]
    )


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """What a run knows of its source. `commit` is None outside git; `dirty` None where that means nothing."""

    uri: str
    revision: str | None = None
    remote: str | None = None
    commit: str | None = None
    branch: str | None = None
    subfolder: str = ""
    dirty: bool | None = None
    changes: tuple[str, ...] = ()
    """What made it dirty: paths of changed and untracked files, at most 100 of them."""
    submodules: tuple[Submodule, ...] = ()
    snapshot: Digest
    files: int = 0
    omitted: tuple[OmittedFile, ...] = ()
    """What the snapshot does not hold; where that is very much, `LISTED` of it, what was not read first."""
    omitted_manifest: Digest | None = None
    """Where it is very much: the blob that lists, as a manifest, all that was digested and is not held."""
