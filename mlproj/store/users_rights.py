"""Rights in the tables: one level for a user and a thing, which later words replace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mlproj.errors import NotFound
from mlproj.model.access import Kind, Level, Permission
from mlproj.store.server_tables import permissions
from mlproj.store.tables import experiments
from mlproj.store.tracking.engine import Database, storable
from mlproj.store.tracking_tables import registered_models

_COLUMNS = permissions.c


class StoredRights:
    """The `Rights` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def level(self, user: str, kind: Kind, thing: str) -> Level | None:
        with self._database.reading() as connection:
            found = connection.execute(select(_COLUMNS.level).where(_one(user, kind, thing))).scalar()
            return None if found is None else Level(found)

    def levels(self, user: str, kind: Kind) -> Mapping[str, Level]:
        return {each.thing: each.level for each in self.all(user=user, kind=kind)}

    def things(self, kind: Kind) -> Collection[str]:
        column = experiments.c.id if kind is Kind.EXPERIMENT else registered_models.c.name
        with self._database.reading() as connection:
            return [str(thing) for thing in connection.execute(select(column)).scalars()]

    def all(
        self, *, user: str | None = None, kind: Kind | None = None, thing: str | None = None
    ) -> Sequence[Permission]:
        asked = {"user_name": user, "kind": None if kind is None else kind.value, "thing": thing}
        same = [_COLUMNS[name] == value for name, value in asked.items() if value is not None]
        in_order = select(permissions).order_by(_COLUMNS.user_name, _COLUMNS.kind, _COLUMNS.thing)
        with self._database.reading() as connection:
            return [
                Permission(user=row.user_name, kind=Kind(row.kind), thing=row.thing, level=Level(row.level))
                for row in connection.execute(in_order.where(*same))
            ]

    def grant(self, user: str, kind: Kind, thing: str, level: Level) -> None:
        storable(thing)
        with self._database.writing() as connection:
            connection.execute(delete(permissions).where(_one(user, kind, thing)))
            _put(connection, user, kind, thing, level)

    def withdraw(self, user: str, kind: Kind, thing: str) -> None:
        with self._database.writing() as connection:
            if not connection.execute(delete(permissions).where(_one(user, kind, thing))).rowcount:
                raise NotFound(f"nothing was said of what `{user}` may do with the {kind.value} `{thing}`")

    def made(self, user: str, kind: Kind, thing: str) -> None:
        with self._database.writing() as connection:
            drop_rights(connection, kind, thing)
            _put(connection, user, kind, thing, Level.MANAGE)


def move_rights(connection: Connection, kind: Kind, old: str, new: str) -> None:
    """The rights go with a thing that is renamed, in the transaction that does so: whoever gives something
    else one of the names meanwhile neither gets them, nor has theirs taken for them."""
    drop_rights(connection, kind, new)
    connection.execute(update(permissions).where(_of(kind, old)).values(thing=new))


def drop_rights(connection: Connection, kind: Kind, thing: str) -> None:
    """Nobody has a right to what is gone, or to what comes to have its name."""
    connection.execute(delete(permissions).where(_of(kind, thing)))


def _put(connection: Connection, user: str, kind: Kind, thing: str, level: Level) -> None:
    row: dict[str, Any] = {"user_name": user, "kind": kind.value, "thing": thing, "level": level.value}
    try:
        connection.execute(insert(permissions).values(**row))
    except IntegrityError as error:
        # The user is the one thing that a row of rights leans on.
        raise NotFound(f"User with username={user} not found") from error


def _of(kind: Kind, thing: str) -> ColumnElement[bool]:
    return and_(_COLUMNS.kind == kind.value, _COLUMNS.thing == thing)


def _one(user: str, kind: Kind, thing: str) -> ColumnElement[bool]:
    return and_(_COLUMNS.user_name == user, _of(kind, thing))
