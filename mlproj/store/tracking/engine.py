"""The store's database through SQLAlchemy: many readers and writers, each in a transaction.

At a server, writers hold the rows that they are about to change. In SQLite there is one at a time: it takes
the lock at once, since deferred ones fail in a crowd, and threads wait in a line for it, since SQLite has
those who wait sleep. There what is committed outlives the process at once, and the machine a moment later: a
script logs thousands of points, and none is worth a sync of the disk of its own.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, Select, create_engine, event
from sqlalchemy.exc import DBAPIError, TimeoutError
from sqlalchemy.pool import QueuePool

from mlproj.errors import Busy, StoreError, UsageError
from mlproj.model.encoding import is_text
from mlproj.model.moment import milliseconds
from mlproj.store.connection import Connection as PlainConnection
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import FILE, journal_size, open_readonly, shrink_journal
from mlproj.store.failures import explain, explain_fault, explained, no_room, not_writable
from mlproj.store.folder import FolderStore
from mlproj.store.room import RESERVED, has_room
from mlproj.store.servers.connection import Dialect, ServerConnection
from mlproj.store.servers.faults import Cause, Fault

_PATIENCE = 30.0
"""Seconds to wait for a writer in another process."""
_WRITES = "mlproj_writes"
_ROOT = "mlproj_root"
_DIALECT = "mlproj_dialect"
_POOL = 40
"""As many connections as a server has threads."""


class Database:
    """The database of a store. May be used from several threads."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._root = store.root
        self._writable = store.writable
        self._turn = threading.Lock()
        self._server = store.server
        if self._server is None:
            self._engine: Engine = _engine_of_file(store)
            self._writers: Engine = self._engine.execution_options(**{_WRITES: True})
        else:
            options = {_ROOT: store.root, _DIALECT: self._server.dialect}
            self._engine = self._server.engine(reading=True, **options)
            self._writers = self._server.engine(reading=False, **options, **{_WRITES: True})

    @property
    def root(self) -> Path:
        return self._root

    @property
    def blobs(self) -> KeptBlobs:
        return self._store.blobs

    def now(self) -> str:
        """This moment as records have it."""
        return self._store.clock()

    def now_ms(self) -> int:
        """This moment in milliseconds since the epoch."""
        return milliseconds(self.now()) or 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database. Raises StoreError."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing. Raises StoreError; Busy where another came between
        or the server is away, so that nothing was written."""
        if not self._writable:
            raise no_room(self._root) if not has_room(self._root) else not_writable(self._root)
        turn = self._turn if self._server is None else contextlib.nullcontext()
        with self._explained(), turn:
            self._leave_room()
            with self._writers.connect() as connection:
                transaction = connection.begin()
                try:
                    yield connection
                except BaseException:
                    transaction.rollback()
                    raise
                self._keep(transaction)

    def _keep(self, transaction: RootTransaction) -> None:
        try:
            transaction.commit()
        except DBAPIError as error:
            fault = self._fault(error)
            if fault is not None and fault.cause is Cause.GONE:
                raise Fault(fault.told, Cause.UNSURE) from error
            raise

    def close(self) -> None:
        self._engine.dispose()
        self._writers.dispose()

    def _leave_room(self) -> None:
        """Raises NoRoom before the disk is full to the brim: the runs whose scripts log are to be sealed."""
        if has_room(self._root, RESERVED + journal_size(self._root)):
            return
        if self._server is not None:
            raise no_room(self._root)
        with self._engine.connect() as connection:
            shrink_journal(raw(connection), self._root)
        if not has_room(self._root, RESERVED + journal_size(self._root)):
            raise no_room(self._root)

    def _fault(self, error: DBAPIError) -> Fault | None:
        return None if self._server is None else self._server.fault(error)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(self._root):
            try:
                yield
            except DBAPIError as error:
                if isinstance(error.orig, sqlite3.Error):
                    raise explain(self._root, error.orig) from error
                if (fault := self._fault(error)) is not None:
                    raise explain_fault(self._root, fault) from error
                raise StoreError(f"the store `{self._root}` cannot be used: {error.orig}") from error
            except TimeoutError as error:
                raise Busy(
                    f"the store `{self._root}` is busy: all connections to its database are in use",
                    hint="try again in a moment",
                ) from error
            except (OverflowError, UnicodeEncodeError) as error:
                raise UsageError(f"a value cannot be stored: {error}") from error


def raw(connection: Connection) -> PlainConnection:
    """The driver's connection, for what the runner writes without SQLAlchemy, in the same transaction."""
    driver = connection.connection.driver_connection
    dialect: Dialect | None = connection.get_execution_options().get(_DIALECT)
    if dialect is not None:
        return ServerConnection(dialect, driver)
    assert isinstance(driver, sqlite3.Connection)
    return driver


def held(connection: Connection, statement: Select[Any], *, shared: bool = False) -> Select[Any]:
    """The statement with its rows held until the transaction ends, by a writer: nobody else changes them
    meanwhile, and where they are not `shared`, nobody else holds them."""
    if not writes(connection):
        return statement
    # With `key_share` rows that name these by a foreign key may still be added.
    return statement.with_for_update(read=shared, key_share=not shared)


def writes(connection: Connection) -> bool:
    """Whether the connection is a writer's."""
    return bool(connection.get_execution_options().get(_WRITES, False))


def root_of(connection: Connection) -> Path:
    """The folder of the store that a connection is to."""
    root: Path = connection.get_execution_options()[_ROOT]
    return root


def storable(*texts: str | None) -> None:
    """Raises UsageError for text that no database and no record can hold."""
    for text in texts:
        if text is not None and (not is_text(text) or "\0" in text):
            raise UsageError(f"a text cannot be stored: {text[:100]!r}")


def _engine_of_file(store: FolderStore) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=_opener(store.root, writable=store.writable),
        poolclass=QueuePool,
        pool_size=_POOL,
        max_overflow=-1,
        execution_options={_ROOT: store.root},
    )
    event.listen(engine, "begin", _begin)
    return engine


def _opener(root: Path, *, writable: bool) -> Callable[[], sqlite3.Connection]:
    def opened() -> sqlite3.Connection:
        if not writable:
            return open_readonly(root)
        connection = sqlite3.connect(
            f"{(root / FILE).as_uri()}?mode=rw",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    return opened


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes(connection) else "BEGIN")
