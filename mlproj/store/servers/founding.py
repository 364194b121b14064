"""The tables at a server: made where there are none yet, migrated where they are older, by one at a time.

Several workers start at once and find the same empty database; whoever has the lock makes it.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator

from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.exc import DatabaseError

from mlproj.errors import StoreError
from mlproj.model.moment import now
from mlproj.store.database import VERSION
from mlproj.store.servers.schema import VERSIONS, tables_for

_LOCK = 7_018_969_253_120_816_747
"""A number that nobody else has for a lock of theirs."""
_LOCK_NAME = "mlproj.schema"
_PATIENCE_S = 300
_GENESIS = f"sha256:{'0' * 64}"


def found(connection: Connection, shown: str, *, create: bool) -> None:
    """Sees to it that the database holds our tables at our version. `connection` is in no transaction.

    Raises StoreError where it holds what is not ours, or a newer version, or nothing and `create` is False.
    """
    if _version(connection, shown) == VERSION:
        return
    with _alone(connection):
        version = _version(connection, shown)
        if version == VERSION:
            return
        if version is None:
            _make(connection, shown, create=create)
        else:
            _migrate(connection, shown)


def _version(connection: Connection, shown: str) -> str | None:
    """The version that the database is stamped with, None for none. Raises StoreError for one not ours."""
    with connection.begin():
        if not inspect(connection).has_table(VERSIONS):
            return None
        found = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()
    if found is None:
        return None
    version = str(found)
    if not (version.isdigit() and len(version) == len(VERSION)):
        raise StoreError(
            f"the database `{shown}` is another program's: MLflow's, it seems",
            hint="name an empty one; `mlproj import-mlflow` brings over what it holds",
        )
    if version > VERSION:
        raise StoreError(
            f"the database `{shown}` was written by a newer mlproj (schema {version}, this one knows"
            f" {VERSION})",
            hint="use that version, or name another database",
        )
    return version


def _make(connection: Connection, shown: str, *, create: bool) -> None:
    """Makes the tables, or what is left to be made where that was cut short. The version is noted last."""
    made = tables_for(connection.dialect.name, _collation(connection))
    with connection.begin():
        there = set(inspect(connection).get_table_names())
    if strange := sorted(there - set(made.tables)):
        raise StoreError(
            f"the database `{shown}` holds tables that are not mlproj's, such as `{strange[0]}`",
            hint="name an empty one",
        )
    if not create:
        raise StoreError(f"the database `{shown}` is empty: there is no store in it")
    with connection.begin():
        if connection.dialect.name == "mysql":
            # Tables of later versions are to fit: a foreign key compares as what it names does.
            collation = _collation(connection)
            connection.execute(text(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {collation}"))
        made.create_all(connection, checkfirst=bool(there))
        chain, experiments, versions = (made.tables[name] for name in ("chain", "experiments", VERSIONS))
        if connection.execute(select(chain.c.id)).first() is None:
            connection.execute(insert(chain).values(id=1, sequence=0, link=_GENESIS))
        if connection.execute(select(experiments.c.id)).first() is None:
            connection.execute(insert(experiments).values(id=0, name="Default", created=now()))
        connection.execute(insert(versions).values(version_num=VERSION))


def _migrate(connection: Connection, shown: str) -> None:
    # Only here is Alembic needed.
    migrating = importlib.import_module("mlproj.store.migrating")
    try:
        with connection.begin():
            migrating.upgrade_within(connection)
    except (ValueError, DatabaseError) as error:
        raise StoreError(f"the database `{shown}` cannot be brought up to date: {error}") from error


def _collation(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        return "C"
    mariadb = getattr(connection.dialect, "is_mariadb", False)
    return "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """For the length of the `with` nobody else makes or migrates the tables; the lock ends with the
    connection, too."""
    if connection.dialect.name == "postgresql":
        taken, given = f"SELECT pg_advisory_lock({_LOCK})", f"SELECT pg_advisory_unlock({_LOCK})"
        patience = f"SET lock_timeout = '{_PATIENCE_S}s'"
    else:
        taken, given = (
            f"SELECT GET_LOCK('{_LOCK_NAME}', {_PATIENCE_S})",
            f"SELECT RELEASE_LOCK('{_LOCK_NAME}')",
        )
        patience = f"SET innodb_lock_wait_timeout = {_PATIENCE_S}"
    with connection.begin():
        connection.execute(text(patience))
        got = connection.execute(text(taken)).scalar()
    if got == 0:
        raise StoreError("another process keeps making the tables of the database", hint="try again later")
    try:
        yield
    finally:
        with connection.begin():
            connection.execute(text(given))
