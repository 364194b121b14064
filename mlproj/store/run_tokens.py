"""Tokens of runs that go on: each lets the run's script write to that run, until it is sealed."""

from __future__ import annotations

import hmac
import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from secrets import token_hex, token_urlsafe

from mlproj.model.digest import Digest
from mlproj.store.database import transaction

_TOKEN = re.compile(r"mlproj_(?P<id>[0-9a-f]{16})_[\w-]{32}", re.ASCII)
_LABEL = "the script of a run"


class StoredRunTokens:
    """The `RunTokens` of a store in a folder."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Callable[[], str],
        *,
        looking: Callable[[], AbstractContextManager[None]],
        changing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._looking = looking
        self._changing = changing

    def run_token(self, run_id: str, user: str | None) -> str:
        number = token_hex(8)
        token = f"mlproj_{number}_{token_urlsafe(24)}"
        with self._changing(), transaction(self._connection):
            self._connection.execute(
                "INSERT INTO tokens (id, user_name, label, digest, created, run_id)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (number, user, _LABEL, Digest.of(token.encode()), self._clock(), run_id),
            )
        return token

    def end_run_tokens(self, run_id: str) -> None:
        with self._changing(), transaction(self._connection):
            self._connection.execute("DELETE FROM tokens WHERE run_id = ?", (run_id,))

    def run_of(self, token: str) -> str | None:
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        with self._looking():
            query = "SELECT digest, run_id FROM tokens WHERE id = ? AND run_id IS NOT NULL"
            row = self._connection.execute(query, (found["id"],)).fetchone()
        if row is None or not hmac.compare_digest(str(row[0]), Digest.of(token.encode())):
            return None
        return str(row[1])
