"""PostgreSQL through psycopg."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Boolean, Float, Integer, LargeBinary, String
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import TypeEngine

from mlproj.store.servers.connection import Cursor
from mlproj.store.servers.faults import Cause, Fault
from mlproj.store.tables import metadata

PATIENCE_S = 30
"""How long a row is waited for that somebody else holds."""
_CONNECT_S = 10

_INSTR = re.compile(r"\binstr\((\w+), \?\)")
_VALUES = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) VALUES \((?:%s(?:, )?)+\)(.*)", re.DOTALL)
_KINDS: tuple[tuple[type[TypeEngine[Any]], str, Callable[[Any], object]], ...] = (
    (Boolean, "boolean", bool),
    (Float, "float8", float),
    (Integer, "bigint", int),
    (LargeBinary, "bytea", bytes),
    (String, "text", str),
)
_CONFLICTS = {"40001", "40P01", "55P03", "23505"}
"""Serialization failure, deadlock, a lock that was waited for too long; and a row that somebody else wrote
in the moment between our look and our insert."""
_GONE = {"57P01", "57P02", "57P03", "57P05", "53300"}
"""The server stops, crashed or starts, cut an idle connection, or has no more connections to give."""
_FULL = {"53100", "53200"}
_REFUSED = {"28000", "28P01", "3D000", "42501"}


class PostgreSQL:
    """A `Dialect`."""

    name = "postgresql"
    # Weaker than FOR UPDATE: rows that name the held one by a foreign key may be added meanwhile.
    holds = " FOR NO KEY UPDATE"

    def __init__(self, url: URL) -> None:
        made: Any = PGDialect_psycopg
        self._arguments, self._options = made().create_connect_args(url)

    def connect(self, *, alone: bool = False, reading: bool = False) -> psycopg.Connection[Any]:
        options = {"connect_timeout": _CONNECT_S, **self._options}
        connection = psycopg.connect(*self._arguments, **options, autocommit=True)
        sees = "repeatable read" if reading else "read committed"
        connection.execute(
            f"SET default_transaction_isolation = '{sees}'; SET lock_timeout = '{PATIENCE_S}s';"
            f" SET default_transaction_read_only = {'on' if reading else 'off'}; SET client_encoding = 'UTF8'"
        )
        connection.autocommit = alone
        return connection

    def translated(self, statement: str) -> str:
        return _INSTR.sub(r"position(? in \1)", statement)

    def execute(
        self, connection: psycopg.Connection[Any], statement: str, values: Sequence[object]
    ) -> Cursor:
        return connection.execute(statement.encode(), values)

    def executemany(
        self, connection: psycopg.Connection[Any], statement: str, rows: Sequence[Sequence[object]]
    ) -> None:
        found = _VALUES.fullmatch(statement)
        if found is None:
            with connection.cursor() as cursor:
                cursor.executemany(statement.encode(), rows)
        else:
            connection.execute(*_together(found, rows))

    def insert_new(
        self, connection: psycopg.Connection[Any], statement: str, rows: Sequence[Sequence[object]]
    ) -> list[tuple[object, ...]]:
        if not rows:
            return []
        columns = statement[statement.index("(") + 1 : statement.index(")")]
        found = _VALUES.fullmatch(f"{statement} ON CONFLICT DO NOTHING RETURNING {columns}")
        assert found is not None, "a statement that inserts values"
        return connection.execute(*_together(found, rows)).fetchall()

    def in_transaction(self, connection: psycopg.Connection[Any]) -> bool:
        return connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
            TransactionStatus.ACTIVE,
        )

    def fault(self, error: BaseException) -> Fault | None:
        if not isinstance(error, psycopg.Error):
            return None
        return Fault(str(error).strip().partition("\n")[0] or type(error).__name__, _cause(error))


def _together(found: re.Match[str], rows: Sequence[Sequence[object]]) -> tuple[bytes, list[list[object]]]:
    """One statement that inserts all rows, and their columns: one by one, even in a pipeline, each costs as
    much as a statement, and the driver is slow to read long ones."""
    table, columns, tail = found.groups()
    kinds = [_kind(table, column.strip().strip('"')) for column in columns.split(",")]
    arrays = ", ".join(f"%s::{name}[]" for name, _ in kinds)
    cells = [
        [None if cell is None else made(cell) for cell in column]
        for (_, made), column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    return f"INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}){tail}".encode(), cells


def _kind(table: str, column: str) -> tuple[str, Callable[[Any], object]]:
    """What the database calls the type of a column, and what makes a value of it."""
    kind = metadata.tables[table].columns[column].type
    return next((name, made) for known, name, made in _KINDS if isinstance(kind, known))


def _cause(error: psycopg.Error) -> Cause:
    state = error.sqlstate
    if state in _CONFLICTS:
        return Cause.CONFLICT
    if state in _REFUSED:
        return Cause.REFUSED
    if state in _FULL:
        return Cause.FULL
    if state in _GONE or (state or "").startswith("08"):
        return Cause.GONE
    if state is None and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        told = str(error)
        refused = "authentication failed" in told or "does not exist" in told or "no pg_hba" in told
        return Cause.REFUSED if refused else Cause.GONE
    return Cause.UNFIT if isinstance(error, psycopg.DataError) else Cause.OTHER
