"""Making and migrating the schema with Alembic, loaded only where a database is of an older version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

MIGRATIONS = Path(__file__).with_name("migrations")


def head() -> str | None:
    """The newest version that the migrations lead to."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def upgrade(connection: sqlite3.Connection, root: Path | None = None) -> None:
    """Brings the database to the newest version, in one transaction with the note of that version. `root` is
    the folder of its store, whose blobs say what the database did not.

    Raises ValueError where it is of no version that the migrations know, or not what that version says.
    """
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "connect", _own_transactions)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as transaction:
            upgrade_within(transaction, root)
    except DatabaseError as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def upgrade_within(transaction: Connection, root: Path | None = None) -> None:
    """As `upgrade`, in a transaction of the caller's."""
    config = _config()
    config.attributes["connection"] = transaction
    config.attributes["root"] = root
    try:
        alembic.command.upgrade(config, "head")
    except (CommandError, DatabaseError, AssertionError) as error:
        raise ValueError(str(error).partition("\n")[0] or "its version is empty") from error


def statements() -> tuple[str, ...]:
    """The newest schema as SQL for an empty database: what `schema.sql` holds."""
    connection = sqlite3.connect(":memory:")
    try:
        upgrade(connection)
        rows = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        ).fetchall()
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    finally:
        connection.close()
    genesis = f"INSERT INTO chain (id, sequence, link) VALUES (1, 0, 'sha256:{'0' * 64}')"
    default = (
        "INSERT INTO experiments (id, name, created)"
        " VALUES (0, 'Default', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
    )
    stamp = f"INSERT INTO alembic_version (version_num) VALUES ('{version}')"
    return (*(" ".join(sql.split()) for (sql,) in rows), genesis, default, stamp)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _own_transactions(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver would otherwise commit before each change of the schema.
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
