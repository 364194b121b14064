"""The SQLite file of a store: opened for writing or only for reading, made new or brought up to date.

Opening goes through the standard library and checks one version number. A new database is made from
`schema.sql`, which says what the migrations would make; Alembic is loaded only for an older one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.files import locked
from mlproj.store.connection import Connection
from mlproj.store.room import PLENTY, has_room
from mlproj.store.servers.connection import ServerConnection

VERSION = "0006"
"""The version of the schema that this code reads and writes: the newest of the migrations."""

FILE = "store.db"
_SCHEMA = Path(__file__).with_name("schema.sql")
_PATIENCE = 30.0
"""Seconds to wait for another writer."""
_BRIEFLY_MS = 1000


def database_file(root: Path) -> Path:
    """Where the database of the store at `root` lies, with its journal: a link may lead there."""
    return Path(os.path.realpath(root / FILE))


def open_writable(root: Path, *, create: bool) -> sqlite3.Connection:
    """The database of the store at `root`, made or migrated if need be. Raises StoreError."""
    path = root / FILE
    if not path.exists() and not create:
        raise StoreError(f"there is no store at `{root}`")
    if not path.exists():
        # SQLite would make it readable for others.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = _connect(f"{path.as_uri()}?mode=rw")
    try:
        if _version(connection, root) != VERSION:
            with locked(root / "locks" / "schema"):
                _bring_up_to_date(connection, root)
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def open_readonly(root: Path) -> sqlite3.Connection:
    """The database of a store that cannot be written to; of an older one, a copy that is brought up to date
    and gone with the connection. Raises StoreError."""
    path = database_file(root)
    if not path.exists():
        raise StoreError(f"there is no store at `{root}`")
    connection = _connect_readonly(path)
    try:
        if _version(connection, root) != VERSION:
            connection = _migrated_copy(connection, root)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Everything inside, or nothing. Takes SQLite's writer's lock at once, since deferred ones fail in a
    crowd; at a server, rows are held as they are needed."""
    connection.execute("BEGIN IMMEDIATE" if isinstance(connection, sqlite3.Connection) else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def journal_size(root: Path) -> int:
    """Bytes that the journal takes: so many at most the database may grow by once it is written back."""
    try:
        return os.stat(f"{database_file(root)}-wal").st_size
    except OSError:
        return 0


def shrink_journal(connection: Connection, root: Path) -> None:
    """Has SQLite's journal take no room on a disk that is nearly full, if nobody else needs it now.

    Where there may be no room to write it back in nothing is done: half of that would take the rest."""
    size = journal_size(root)
    if not size or isinstance(connection, ServerConnection):
        return
    if has_room(root, PLENTY) or not has_room(root, size):
        return
    connection.execute(f"PRAGMA busy_timeout = {_BRIEFLY_MS}")
    try:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(_PATIENCE * 1000)}")


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    # A damaged cell must not end a walk over the others.
    connection.text_factory = _decoded
    return connection


@contextlib.contextmanager
def quick_text(connection: Connection) -> Iterator[None]:
    """For the length of the `with` texts are read faster, and one that is none raises OperationalError; from
    a server they are texts anyhow."""
    if isinstance(connection, ServerConnection):
        yield
        return
    connection.text_factory = str
    try:
        yield
    finally:
        connection.text_factory = _decoded


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _version(connection: sqlite3.Connection, root: Path) -> str | None:
    """The schema's version, None for a database without one. Raises StoreError for one newer than ours."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return None
    version = None if row is None else str(row[0])
    if version is not None and version > VERSION:
        raise StoreError(
            f"the store `{root}` was written by a newer mlproj (schema {version}, this one knows {VERSION})",
            hint="use that version, or name another store with `--store`",
        )
    return version


def _bring_up_to_date(connection: sqlite3.Connection, root: Path) -> None:
    """Makes or migrates the tables; whoever waited for the lock finds it done."""
    if _version(connection, root) == VERSION:
        return
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and any((root / "blobs").glob("sha256/*/*")):
        raise StoreError(
            f"the database of the store `{root}` is empty, and there is content that it should know of",
            hint="restore it from a copy; the files under `blobs` are not affected",
        )
    if not tables:
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            for statement in filter(str.strip, _SCHEMA.read_text().split(";\n")):
                connection.execute(statement)
        # The file takes its room now: a run that fills the disk has none left for it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    elif "alembic_version" in tables:
        _back_up(connection, root)
        _upgrade(connection, root)
    else:
        raise StoreError(f"`{root / FILE}` is not a database of mlproj")


def _connect_readonly(path: Path) -> sqlite3.Connection:
    journal, index = Path(f"{path}-wal"), Path(f"{path}-shm")
    if not journal.exists() or not journal.stat().st_size:
        # Then nobody is writing, and only so can SQLite read where it may make no files.
        return _connect(f"{path.as_uri()}?mode=ro&immutable=1")
    if index.exists() or os.access(path.parent, os.W_OK):
        return _connect(f"{path.as_uri()}?mode=ro")
    return _copy_with_journal(path, journal)


def _copy_with_journal(path: Path, journal: Path) -> sqlite3.Connection:
    """A copy of what both hold: SQLite reads a journal only with its index, which it would have to make."""
    copy = _connect("")  # in a file without a name
    with tempfile.TemporaryDirectory() as folder:
        for file in (path, journal):
            shutil.copyfile(file, Path(folder, file.name))
        with contextlib.closing(_connect(f"{Path(folder, path.name).as_uri()}?mode=rw")) as both:
            both.backup(copy)
    return copy


def _migrated_copy(connection: sqlite3.Connection, root: Path) -> sqlite3.Connection:
    copy = _connect("")  # in a file without a name
    with contextlib.closing(connection):
        connection.backup(copy)
    _upgrade(copy, root)
    return copy


def _upgrade(connection: sqlite3.Connection, root: Path) -> None:
    try:
        importlib.import_module("mlproj.store.migrating").upgrade(connection, root)
    except ValueError as error:
        raise StoreError(
            f"the database of the store `{root}` is damaged ({error})",
            hint="restore it from a copy; the files under `blobs` are not affected",
        ) from error


def _back_up(connection: sqlite3.Connection, root: Path) -> None:
    backup = root / f"{FILE}.before-{VERSION}"
    descriptor = os.open(backup, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
    target = sqlite3.connect(backup)
    try:
        connection.backup(target)
    finally:
        target.close()
