"""The tables as a server is to have them: with texts that compare as their bytes do, wherever it runs.

SQLite compares so, and leaves the length of a text open. Both have servers do alike, as far as they can: what
is a key in MariaDB has a length.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Double, Float, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from mlproj.store import server_tables, tracking_tables, webhook_tables
from mlproj.store.tables import metadata

VERSIONS = "alembic_version"
_OF_OTHERS = {server_tables.users.name, tracking_tables.traces.name, webhook_tables.webhooks.name}
assert set(metadata.tables) >= _OF_OTHERS

_LONGEST_KEY = 700
"""Characters: with a run's id beside it, a key of MariaDB has no room for more."""


def tables_for(dialect: str, collation: str) -> MetaData:
    """All tables, with the note of their version, for a kind of server."""
    made = MetaData()
    for table in metadata.sorted_tables:
        copy = table.to_metadata(made)
        keyed = _keyed(copy)
        for column in copy.columns:
            column.type = _type(column, dialect, collation, column.name in keyed)
        if dialect == "mysql":
            copy.dialect_options["mysql"]["engine"] = "InnoDB"
            copy.dialect_options["mysql"]["default_charset"] = "utf8mb4"
            copy.dialect_options["mysql"]["collate"] = collation
    Table(VERSIONS, made, Column("version_num", String(32), primary_key=True))
    return made


def _keyed(table: Table) -> frozenset[str]:
    """The columns that an index is to find."""
    unique = (column.name for column in table.columns if column.unique or column.primary_key)
    return frozenset((*unique, *(column.name for index in table.indexes for column in index.columns)))


def _type(column: Column[Any], dialect: str, collation: str, keyed: bool) -> TypeEngine[Any]:
    kind: TypeEngine[Any] = column.type
    if isinstance(kind, Float):
        return Double()
    if isinstance(kind, Integer):
        return BigInteger()
    if isinstance(kind, LargeBinary) and dialect == "mysql":
        return mysql.LONGBLOB()
    if not isinstance(kind, String):
        return kind
    if dialect != "mysql":
        return Text(collation=collation)
    if kind.length is None and not keyed:
        return mysql.LONGTEXT(collation=collation)
    return mysql.VARCHAR(kind.length or _LONGEST_KEY, collation=collation)
