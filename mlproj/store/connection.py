"""The database as those have it who write plain SQL: SQLite's file, or a server that is spoken to alike."""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

from mlproj.store.servers.connection import ServerConnection

Connection: TypeAlias = sqlite3.Connection | ServerConnection


def held(connection: Connection) -> str:
    """What a query ends with whose rows nobody else may change before the transaction ends. In SQLite nobody
    does: there is one writer."""
    return "" if isinstance(connection, sqlite3.Connection) else connection.dialect.holds
