"""Changes of the registry as links of the chain, and what they tell of a registered model."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, insert, select

from mlproj.model.entries import read_registry, registry_document
from mlproj.model.record import EntryKind, encode
from mlproj.model.registry import Act, Change, RecordedChange
from mlproj.store.reading import raw_bytes
from mlproj.store.tables import entries
from mlproj.store.tracking.engine import raw
from mlproj.store.tracking_tables import registry_entries
from mlproj.store.writing import append


def record(connection: Connection, time: str, *changes: Change) -> None:
    """Appends a link for each change, in the transaction of whoever changes the tables, and as the last thing
    in it: the chain's head is held from then on."""
    for change in changes:
        payload = encode(registry_document(change))
        link = append(raw(connection), kind=EntryKind.REGISTRY, run_id="", time=time, payload=payload)
        names = {change.model, change.after} if change.act is Act.RENAMED else {change.model}
        rows = [{"model": name, "sequence": link.sequence} for name in sorted(filter(None, names))]
        connection.execute(insert(registry_entries), rows)


def history_of(connection: Connection, name: str) -> tuple[RecordedChange, ...]:
    """What was done to the model that has this name, or had it last, since it was made; the oldest first."""
    found: list[RecordedChange] = []
    until: int | None = None
    while True:
        for recorded in _back_from(connection, name, until):
            change = recorded.change
            found.append(recorded)
            if change.act is Act.CREATED:
                return tuple(reversed(found))
            if change.act is Act.RENAMED and change.after == name and change.model != name:
                name, until = change.model, recorded.sequence
                break
        else:
            return tuple(reversed(found))


def _back_from(connection: Connection, name: str, until: int | None) -> Iterator[RecordedChange]:
    """The changes under that name, the newest first."""
    statement = (
        select(entries.c.sequence, entries.c.time, entries.c.payload)
        .join(registry_entries, registry_entries.c.sequence == entries.c.sequence)
        .where(registry_entries.c.model == name)
        .order_by(registry_entries.c.sequence.desc())
    )
    if until is not None:
        statement = statement.where(registry_entries.c.sequence < until)
    for sequence, time, payload in connection.execute(statement).all():
        yield RecordedChange(sequence=sequence, time=time, change=read_registry(raw_bytes(payload)))
