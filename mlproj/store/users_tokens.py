"""Tokens in the tables: found by the id that they begin with, and kept as a digest alone."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from mlproj.access_ports import KnownToken
from mlproj.errors import NotFound
from mlproj.model.access import Level, Token, User
from mlproj.model.digest import Digest
from mlproj.model.redaction import CALLS_ITSELF
from mlproj.store.server_tables import tokens, users
from mlproj.store.tables import runs
from mlproj.store.tracking.engine import Database, storable

_OF_RUN = "the script of a run"
_KNOWN = (
    select(
        tokens,
        users.c.name.label("known_name"),
        users.c.created.label("known_created"),
        users.c.admin,
        users.c.disabled,
        users.c.password.is_not(None).label("has_password"),
        runs.c.sequence,
    )
    .outerjoin(users, users.c.name == tokens.c.user_name)
    .outerjoin(runs, runs.c.run_id == tokens.c.run_id)
)


class StoredTokens:
    """The `Tokens` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, user: str, *, label: str, level: Level | None = None, expires: str | None = None
    ) -> tuple[Token, str]:
        storable(label)
        with self._database.reading() as connection:
            if connection.execute(select(users.c.name).where(users.c.name == user)).first() is None:
                raise NotFound(f"User with username={user} not found")
        return self._add(
            Token(id=_new_id(), user=user, label=label, created="", expires=expires, level=level)
        )

    def of_run(self, run_id: str, user: str | None) -> str:
        """As `Users.run_token`."""
        made = Token(id=_new_id(), user=user, label=_OF_RUN, created="", run_id=run_id, level=Level.EDIT)
        return self._add(made)[1]

    def end_of_run(self, run_id: str) -> None:
        """As `Users.end_run_tokens`."""
        with self._database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.run_id == run_id))

    def all(self, user: str | None = None) -> Sequence[Token]:
        statement = select(tokens).where(tokens.c.run_id.is_(None))
        if user is not None:
            statement = statement.where(tokens.c.user_name == user)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(tokens.c.created.desc(), tokens.c.id))
            return [_token(row) for row in rows]

    def known(self, token_id: str) -> KnownToken | None:
        with self._database.reading() as connection:
            row = connection.execute(_KNOWN.where(tokens.c.id == token_id)).first()
        if row is None:
            return None
        user = None
        if row.known_name is not None:
            user = User(
                name=row.known_name,
                created=row.known_created,
                admin=bool(row.admin),
                disabled=bool(row.disabled),
                has_password=bool(row.has_password),
            )
        return KnownToken(token=_token(row), digest=row.digest, user=user, over=row.sequence is not None)

    def used(self, token_id: str) -> None:
        with self._database.writing() as connection:
            noted = update(tokens).where(tokens.c.id == token_id).values(used=self._database.now())
            connection.execute(noted)

    def revoke(self, token_id: str) -> None:
        with self._database.writing() as connection:
            if not connection.execute(delete(tokens).where(tokens.c.id == token_id)).rowcount:
                raise NotFound(f"there is no token `{token_id}`")

    def _add(self, token: Token) -> tuple[Token, str]:
        secret = f"{CALLS_ITSELF}{token.id}_{secrets.token_urlsafe(32)}"
        row = {
            "id": token.id,
            "user_name": token.user,
            "label": token.label,
            "digest": Digest.of(secret.encode()),
            "created": self._database.now(),
            "expires": token.expires,
            "run_id": token.run_id,
            "level": None if token.level is None else token.level.value,
        }
        with self._database.writing() as connection:
            connection.execute(insert(tokens).values(**row))
            made = connection.execute(select(tokens).where(tokens.c.id == token.id)).one()
        return _token(made), secret


def _new_id() -> str:
    return secrets.token_hex(8)


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        user=row.user_name,
        label=row.label,
        created=row.created,
        expires=row.expires,
        used=row.used,
        run_id=row.run_id,
        level=None if row.level is None else Level(row.level),
    )
