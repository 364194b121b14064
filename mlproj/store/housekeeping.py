"""The housekeeper of a store in a folder: forgets runs, finds and removes garbage, tells sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path

from mlproj.housekeeping_ports import GRACE_S, Garbage, Removed, StoreSize
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.forgetting import forget_runs, shrink
from mlproj.store.garbage import find_garbage, remove_garbage
from mlproj.store.needless import needed_runs
from mlproj.store.sizes import measure, measure_database

Turn = Callable[[], AbstractContextManager[None]]
"""Has the store to itself among threads, with what goes wrong inside told as a StoreError."""


class FolderHousekeeper:
    """A `Housekeeper` of the store at `root`. Get one from the store."""

    def __init__(
        self,
        connection: Connection,
        root: Path,
        blobs: KeptBlobs,
        clock: Callable[[], str],
        *,
        looking: Turn,
        changing: Turn,
    ) -> None:
        self._connection = connection
        self._root = root
        self._blobs = blobs
        self._clock = clock
        self._looking = looking
        self._changing = changing

    def forget(self, run_ids: Collection[str], *, who: str, why: str) -> None:
        with self._changing():
            forget_runs(self._connection, tuple(run_ids), who=who, when=self._clock(), why=why)

    def needed(self) -> frozenset[str]:
        with self._looking():
            return needed_runs(self._connection)

    def garbage(self, *, without: Collection[str] = (), grace_s: float = GRACE_S) -> Garbage:
        with self._looking():
            return find_garbage(
                self._connection, self._root, self._blobs, without=frozenset(without), grace_s=grace_s
            )

    def remove(self, garbage: Garbage) -> Removed:
        with self._changing():
            before = measure_database(self._root)
            files, size = remove_garbage(self._connection, self._root, self._blobs, garbage)
            shrink(self._connection)
            return Removed(files=files, size=size + before - measure_database(self._root))

    def size(self) -> StoreSize:
        with self._looking():
            return measure(self._root)
