"""What was done at a server, in the tables: rows that are added, and never changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import insert, select

from mlproj.model.access import Deed
from mlproj.store.server_tables import audit
from mlproj.store.tracking.engine import Database

_WIDTHS = {"action": 256, "thing": 256, "address": 64, "user_name": 128, "token": 32, "kind": 16}
_FIELDS = {"user_name": "user"}
_UNSTORABLE = {code: 0xFFFD for code in (0, *range(0xD800, 0xE000))}


class StoredAudit:
    """The `Audit` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, deeds: Sequence[Deed]) -> None:
        if not deeds:
            return
        with self._database.writing() as connection:
            connection.execute(insert(audit), [_row(deed) for deed in deeds])

    def all(
        self,
        *,
        user: str | None = None,
        thing: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Deed]:
        statement = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if user is not None:
            statement = statement.where(audit.c.user_name == user)
        if thing is not None:
            statement = statement.where(audit.c.thing == thing)
        if before is not None:
            statement = statement.where(audit.c.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings()
            return [Deed(**{_FIELDS.get(str(name), str(name)): row[name] for name in row}) for row in rows]


def _row(deed: Deed) -> dict[str, object]:
    """Whatever somebody sent who has no business here can be written down too."""
    fields = msgspec.structs.asdict(deed)
    fields["user_name"] = fields.pop("user")
    del fields["number"]
    for name, width in _WIDTHS.items():
        if fields[name] is not None:
            fields[name] = fields[name].translate(_UNSTORABLE)[:width]
    return fields
