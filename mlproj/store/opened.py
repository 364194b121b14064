"""A folder with a store in it, held open: who may look at it and change it, one thread at a time."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.errors import StoreError
from mlproj.model.events import Report, silent
from mlproj.store.closing import close_dead_runs
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.destination import stored_blobs
from mlproj.store.failures import explained, no_room, not_writable
from mlproj.store.machine import Machine
from mlproj.store.place import Place
from mlproj.store.room import has_room

if TYPE_CHECKING:
    from mlproj.store.servers.database import ServerDatabase


class OpenedFolder:
    """What lies in the folder `root`. May be used from several threads."""

    def __init__(
        self,
        root: Path,
        connection: Connection,
        *,
        writable: bool,
        machine: Machine,
        clock: Callable[[], str],
        let_go: Callable[[], None],
        server: ServerDatabase | None = None,
    ) -> None:
        self._root = root
        self._connection = connection
        self._server = server
        self._writable = writable
        self._machine = machine
        self._clock = clock
        self._blobs = stored_blobs(connection, root)
        self._turn = threading.RLock()
        self._close = weakref.finalize(self, let_go)

    @property
    def root(self) -> Path:
        return self._root

    @property
    def address(self) -> str:
        return str(self._root)

    @property
    def blobs(self) -> KeptBlobs:
        return self._blobs

    @property
    def connection(self) -> Connection:
        return self._connection

    @property
    def server(self) -> ServerDatabase | None:
        """Where the database is, of a store whose folder does not hold it."""
        return self._server

    @property
    def clock(self) -> Callable[[], str]:
        return self._clock

    @property
    def writable(self) -> bool:
        return self._writable

    def close(self) -> None:
        """Lets go of the database; also happens when the store is no longer used."""
        self._close()

    def _place(self, report: Report = silent) -> Place:
        return Place(connection=self._connection, root=self._root, blobs=self._blobs, report=report)

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        with self._turn, explained(self._root):
            yield

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        if not self._writable:
            raise no_room(self._root) if not has_room(self._root) else not_writable(self._root)
        with self._looking():
            yield

    def _look_for_dead(self) -> None:
        # Where closing fails (no space left, say), looking at the rest is still possible.
        if self._writable:
            with contextlib.suppress(StoreError), self._changing():
                close_dead_runs(self._place(), self._machine, self._clock)
