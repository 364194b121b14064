"""The seam by which a store gets rid of what nobody wants any more, beside those of `store_ports`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from mlproj.model.digest import Digest

GRACE_S = 3600.0
"""Content that somebody wanted so lately (in seconds) is not removed: that somebody may hold no lease."""


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What nothing in a store names. Sizes are in bytes on the disk.

    `blobs` (each with the time, in nanoseconds since the epoch, at which it was last added or asked for) and
    `leftovers` (what killed processes left lying) may go; `young` is how many further blobs are within the
    grace period or a lease. `seen` is the chain's last entry then: whoever removes looks at what came since.
    """

    blobs: Mapping[Digest, int]
    leftovers: tuple[Path, ...]
    size: int
    young: int
    young_size: int
    seen: int


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed: how many files, and bytes on the disk (the database's too, where it shrank)."""

    files: int
    size: int


class StoreSize(msgspec.Struct, frozen=True, kw_only=True):
    """What a store takes on the disk, in bytes: `workspaces` are the folders of runs."""

    database: int
    blobs: int
    workspaces: int

    @property
    def total(self) -> int:
        return self.database + self.blobs + self.workspaces


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A store that was copied: where it is now, how many contents of how many bytes came, and the digests of
    those that were left behind because they no longer are what was recorded."""

    path: Path
    files: int
    size: int
    altered: tuple[Digest, ...]


class Resettled(msgspec.Struct, frozen=True, kw_only=True):
    """Contents that are at the URL `place` now; so many files of so many bytes came. `before` is the URL of
    where they were, None for the store's own folder."""

    place: str
    before: str | None
    files: int
    size: int


class Housekeeper(Protocol):
    """Takes away what nobody wants any more. Nothing is forgotten in silence."""

    def forget(self, run_ids: Collection[str], *, who: str, why: str) -> None:
        """Takes hidden runs' payloads away and leaves a tombstone for each in the chain; their content is
        garbage then. Raises StoreError where one is not hidden, or is needed, RunNotFound where one was
        forgotten already."""
        ...

    def needed(self) -> frozenset[str]:
        """The ids of runs that stay because versions of registered models are made of what they left."""
        ...

    def garbage(self, *, without: Collection[str] = (), grace_s: float = GRACE_S) -> Garbage:
        """What nothing names, were the runs `without` forgotten; what only those name has no grace. Raises
        Altered where a record cannot be read."""
        ...

    def remove(self, garbage: Garbage) -> Removed:
        """Removes it, but for what came to be wanted since it was found."""
        ...

    def size(self) -> StoreSize: ...
