"""What those who keep a store need of its contents, wherever they lie: more than those who record runs do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from mlproj.model.digest import Digest
from mlproj.store_ports import BlobStore


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that is there: when it was last added or asked for (nanoseconds since the epoch), how many bytes
    it has, and how many it takes where it lies."""

    used_ns: int
    size: int
    taken: int

    @property
    def used(self) -> float:
        return self.used_ns / 1_000_000_000


class KeptBlobs(BlobStore, Protocol):
    """Contents as leases, gathering and garbage have them."""

    def states(self) -> Iterator[tuple[Digest, Held]]:
        """All that is there."""
        ...

    def state(self, digest: Digest) -> Held | None:
        """None where it is not there."""
        ...

    def incoming(self) -> Iterator[Path]:
        """What is being written aside on this machine, or was when its writer ended."""
        ...

    def sweep(self, before: float) -> tuple[int, int]:
        """Removes what was left aside elsewhere before that moment; how many files, and how many bytes."""
        ...

    def removing(self) -> AbstractContextManager[None]:
        """For the length of the `with` nobody adds or renews: whoever removes looks, and removes, in one."""
        ...

    def adding(self) -> AbstractContextManager[None]:
        """For the length of the `with` nobody removes."""
        ...

    def remove(self, digest: Digest) -> None: ...


class StreamedBlobs(KeptBlobs, Protocol):
    """Contents that come and go as streams, in pieces: of any size, they take the memory of a few."""

    def add_stream(self, pieces: Iterator[bytes]) -> tuple[Digest, int]:
        """Takes in what arrives, whole or, where the pieces end in an exception, not at all."""
        ...

    def read(self, digest: Digest, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """The bytes from `first` on, to the end where no `count` is asked for. Of the whole, the last piece
        only comes if all is as it was recorded. Raises StoreError, and Altered."""
        ...

    def claim(self, mark: str) -> None:
        """Writes down whose they are. Raises StoreError where somebody else has."""
        ...

    def reach(self) -> None:
        """Raises StoreError where they cannot be got at now."""
        ...
