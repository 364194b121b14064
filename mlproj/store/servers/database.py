"""A database at a server, by its URI: how it is reached, by the runner's plain SQL and by SQLAlchemy."""

from __future__ import annotations

import importlib
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from mlproj.errors import StoreError
from mlproj.store.servers import founding
from mlproj.store.servers.connection import Dialect, ServerConnection
from mlproj.store.servers.faults import Fault

_KINDS = {
    "postgresql": ("postgresql:PostgreSQL", "postgresql+psycopg", "postgresql"),
    "postgres": ("postgresql:PostgreSQL", "postgresql+psycopg", "postgresql"),
    "mysql": ("mysql:MySQL", "mysql+pymysql", "mysql"),
    "mariadb": ("mysql:MySQL", "mysql+pymysql", "mysql"),
}
"""By how a URI begins: what speaks to it, what SQLAlchemy calls that, and the extra that brings it."""

_KEPT, _MORE = 5, 5
"""Connections that stay open, and those that may be opened beside them in a crowd: servers give few."""
_PATIENCE_S = 30


class ServerDatabase:
    """The database at `uri`, of PostgreSQL, MySQL or MariaDB. Raises StoreError for a URI that names none."""

    def __init__(self, uri: str) -> None:
        url = _parsed(uri)
        self.shown = url.render_as_string(hide_password=True)
        """The URI for people to see, without its password."""
        self.dialect, self._url = _dialect(url)

    def connection(self) -> ServerConnection:
        """For plain SQL. Opened when it is first used, and again where it broke."""
        return ServerConnection(self.dialect)

    def engine(self, *, reading: bool, **options: Any) -> Engine:
        """For SQLAlchemy; with `reading`, each transaction sees one state and writes nothing."""
        return create_engine(
            self._url,
            creator=lambda: self.dialect.connect(reading=reading),
            poolclass=QueuePool,
            pool_size=_KEPT,
            max_overflow=_MORE,
            pool_timeout=_PATIENCE_S,
            pool_use_lifo=True,
            execution_options=options,
        )

    def found(self, *, create: bool) -> None:
        """Makes or migrates the tables if need be. Raises StoreError, and Fault where it is out of reach."""
        engine = create_engine(self._url, creator=self.dialect.connect, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                founding.found(connection, self.shown, create=create)
        except DBAPIError as error:
            raise self.fault(error) or error from error
        finally:
            engine.dispose()

    def fault(self, error: DBAPIError) -> Fault | None:
        """What an error that SQLAlchemy passes on means; None for one that is not the driver's."""
        return None if error.orig is None else self.dialect.fault(error.orig)


def _parsed(uri: str) -> URL:
    try:
        return make_url(uri)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "the URI of the database cannot be read",
            hint="it is like `postgresql://user:password@host:5432/name`",
        ) from error


def _dialect(url: URL) -> tuple[Dialect, URL]:
    kind = url.drivername.partition("+")[0]
    if kind not in _KINDS:
        raise StoreError(
            f"mlproj keeps nothing in a database of the kind `{kind}`",
            hint="SQLite, PostgreSQL, MySQL and MariaDB are known",
        )
    name, driver, extra = _KINDS[kind]
    if not url.database:
        raise StoreError(
            f"`{url.render_as_string(hide_password=True)}` names no database",
            hint="end it with a slash and the database's name",
        )
    module, _, attribute = name.partition(":")
    url = url.set(drivername=driver)
    try:
        made = getattr(importlib.import_module(f"mlproj.store.servers.{module}"), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("mlproj"):
            raise
        raise StoreError(
            f"a database of the kind `{kind}` needs `{error.name}`, which is not installed",
            hint=f"`pip install 'mlproj[{extra}]'`",
        ) from error
    dialect: Dialect = made(url)
    return dialect, url
