"""The entrance: who may use a server over a store, in the tables of its database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from mlproj.access_ports import KnownUser
from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.access import User
from mlproj.model.redaction import CALLS_ITSELF
from mlproj.store.folder import FolderStore
from mlproj.store.server_tables import permissions, tokens, users
from mlproj.store.tables import runs
from mlproj.store.tracking.engine import Database, storable
from mlproj.store.users_audit import StoredAudit
from mlproj.store.users_passwords import kept
from mlproj.store.users_rights import StoredRights
from mlproj.store.users_tokens import StoredTokens

_LONGEST = 128


class StoredUsers:
    """The `Users` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.accounts = StoredAccounts(database)
        self.tokens = StoredTokens(database)
        self.rights = StoredRights(database)
        self.audit = StoredAudit(database)

    def run_token(self, run_id: str, user: str | None) -> str:
        return self.tokens.of_run(run_id, user)

    def end_run_tokens(self, run_id: str) -> None:
        self.tokens.end_of_run(run_id)

    def owns(self, run_id: str, other: str) -> bool:
        begun_in = or_(runs.c.parent == run_id, runs.c.owner == run_id)
        with self._database.reading() as connection:
            statement = select(runs.c.number).where(runs.c.run_id == other, begun_in)
            return connection.execute(statement).first() is not None

    def close(self) -> None:
        self._database.close()


class StoredAccounts:
    """The `Accounts` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, *, password: str | None, admin: bool = False) -> User:
        _refuse_name(name)
        row = {"name": name, "password": kept(password), "admin": admin, "created": self._database.now()}
        with self._database.writing() as connection:
            try:
                connection.execute(insert(users).values(**row, disabled=False))
            except IntegrityError as error:
                raise AlreadyThere(f"User (username={name}) already exists.") from error
        return self.get(name)

    def get(self, name: str) -> User:
        known = self.known(name)
        if known is None:
            raise _missing(name)
        return known.user

    def all(self) -> Sequence[User]:
        with self._database.reading() as connection:
            return [user_in(row) for row in connection.execute(select(users).order_by(users.c.name))]

    def known(self, name: str) -> KnownUser | None:
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).first()
            return None if row is None else KnownUser(user=user_in(row), password=row.password)

    def change(
        self,
        name: str,
        *,
        password: str | None = None,
        admin: bool | None = None,
        disabled: bool | None = None,
    ) -> None:
        given = {"password": kept(password), "admin": admin, "disabled": disabled}
        changed = {column: value for column, value in given.items() if value is not None}
        with self._database.writing() as connection:
            statement = update(users).where(users.c.name == name).values(**(changed or {"name": name}))
            if not connection.execute(statement).rowcount:
                raise _missing(name)

    def remove(self, name: str) -> None:
        with self._database.writing() as connection:
            for table in (tokens, permissions):
                connection.execute(delete(table).where(table.c.user_name == name))
            if not connection.execute(delete(users).where(users.c.name == name)).rowcount:
                raise _missing(name)


def open_users(store: FolderStore) -> StoredUsers:
    """The users of a server over the store, which stays open as long."""
    return StoredUsers(Database(store))


def user_in(row: Row[Any]) -> User:
    return User(
        name=row.name,
        created=row.created,
        admin=bool(row.admin),
        disabled=bool(row.disabled),
        has_password=row.password is not None,
    )


def _missing(name: str) -> NotFound:
    return NotFound(f"User with username={name} not found")


def _refuse_name(name: str) -> None:
    """Raises UsageError for a name that nobody could log in by."""
    storable(name)
    odd = name != name.strip() or not name.isprintable() or bool(set(name) & {":", "/"})
    if not name or len(name) > _LONGEST or odd or name.startswith(CALLS_ITSELF):
        raise UsageError(
            f"`{name[:_LONGEST]}` cannot be the name of a user",
            hint=f"up to {_LONGEST} printable characters, without `:` and `/`, and no token",
        )
