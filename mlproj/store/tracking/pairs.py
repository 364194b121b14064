"""Tables of keys and values, tags above all: written with each key once, read for many things at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, or_, select, update

from mlproj.model.tracking import Pairs

_AT_ONCE = 300
"""So many things are asked for in one statement."""


def put_pairs(connection: Connection, table: Table, of: Mapping[str, Any], pairs: Pairs) -> None:
    """Writes each pair for the thing that the columns `of` name, over what was there.

    The caller holds the thing's row, so that nobody writes the same pair meanwhile.
    """
    for key, value in dict(pairs).items():
        same = and_(_is(table, of), table.c.key == key)
        if not connection.execute(update(table).where(same).values(value=value)).rowcount:
            connection.execute(insert(table).values(**of, key=key, value=value))


def drop_pair(connection: Connection, table: Table, of: Mapping[str, Any], key: str) -> bool:
    """Whether there was one."""
    return bool(connection.execute(delete(table).where(_is(table, of), table.c.key == key)).rowcount)


def pairs_of(
    connection: Connection, table: Table, columns: Sequence[str], things: Sequence[tuple[Any, ...]]
) -> Mapping[tuple[Any, ...], Pairs]:
    """The pairs of these things, each named by its values of `columns`, sorted by key."""
    named = [table.c[column] for column in columns]
    found: dict[tuple[Any, ...], list[tuple[str, str]]] = defaultdict(list)
    for start in range(0, len(things), _AT_ONCE):
        some = things[start : start + _AT_ONCE]
        of_them = or_(*(_is(table, dict(zip(columns, thing, strict=True))) for thing in some))
        if len(named) == 1:
            of_them = named[0].in_([thing[0] for thing in some])
        statement = select(*named, table.c.key, table.c.value).where(of_them).order_by(table.c.key)
        for *thing, key, value in connection.execute(statement):
            found[tuple(thing)].append((key, value))
    return defaultdict(tuple, {thing: tuple(pairs) for thing, pairs in found.items()})


def _is(table: Table, of: Mapping[str, Any]) -> Any:
    return and_(*(table.c[column] == value for column, value in of.items()))
