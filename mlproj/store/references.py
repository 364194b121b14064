"""Which run a person means: by its id, a beginning of it, its name, or `last`."""

from __future__ import annotations

import sys
from pathlib import Path

from mlproj.errors import RunNotFound, did_you_mean
from mlproj.model.encoding import is_text
from mlproj.store.connection import Connection
from mlproj.store.machine import Machine
from mlproj.store.reading import read_tombstone_of
from mlproj.store_ports import RunQuery

SHORTEST_PREFIX = 4
_SHOWN = 5
_NAMES = (
    "SELECT name FROM runs WHERE {inside}NOT deleted AND NOT forgotten GROUP BY name"
    " ORDER BY max(number) DESC LIMIT 1000"
)


def resolve(connection: Connection, root: Path, reference: str, within: frozenset[str] | None = None) -> str:
    """The id of the run that `reference` names; of several with one name the newest, hidden ones last. With
    `within`, only runs in these experiments are there.

    `last` is the newest that a person began, rather than another run's script.

    Raises RunNotFound where there is none, where a beginning fits several, or where the run was forgotten.
    """
    inside, places = _inside(within)
    if reference == "last":
        listed = f"{inside}NOT deleted AND NOT forgotten"
        found = ids(connection, f"{listed} AND parent IS NULL ORDER BY number DESC LIMIT 1", *places)
        found = found or ids(connection, f"{listed} ORDER BY number DESC LIMIT 1", *places)
        if not found:
            raise RunNotFound(
                f"the store `{root}` holds no run yet", hint="`mlproj run` starts one and records it"
            )
    else:
        found = _named(connection, reference, within) if is_text(reference) else []
    if len(found) > 1:
        shown = ", ".join(f"`{run_id}`" for run_id in found[:_SHOWN])
        more = ", ..." if len(found) > _SHOWN else ""
        raise RunNotFound(
            f"`{reference}` is the beginning of several runs: {shown}{more}", hint="give more of its digits"
        )
    if not found:
        names = [name for (name,) in connection.execute(_NAMES.format(inside=inside), places)]
        raise RunNotFound(
            f"there is no run `{reference}` in the store `{root}`",
            hint=did_you_mean(reference, [*names, "last"]) or "`mlproj runs` lists them",
        )
    refuse_forgotten(connection, found[0])
    return found[0]


def refuse_forgotten(connection: Connection, run_id: str) -> None:
    """Raises RunNotFound, with what the tombstone says, where the run was forgotten."""
    if ids(connection, "run_id = ? AND forgotten", run_id):
        tombstone = read_tombstone_of(connection, run_id)
        told = "" if tombstone is None else f" by {tombstone.who} at {tombstone.when}: {tombstone.why}"
        raise RunNotFound(f"the run `{run_id}` was removed{told}")


def ids(connection: Connection, where: str, *values: object) -> list[str]:
    """The ids of the runs that fulfil a condition in SQL, whose values are bound."""
    rows = connection.execute(f"SELECT run_id FROM runs WHERE {where}", values)
    return [run_id for (run_id,) in rows]


def newest(connection: Connection, query: RunQuery, _machine: Machine) -> tuple[str, ...]:
    """The ids that a query without conditions means, newest first: a plain list needs no search."""
    inside, places = _inside(query.within)
    hidden = "" if query.deleted else " AND NOT deleted"
    limit = () if query.limit is None else (query.limit,)
    listed = f"{inside}NOT forgotten{hidden} ORDER BY number DESC{' LIMIT ?' if limit else ''}"
    return tuple(ids(connection, listed, *places, *limit))


def _inside(within: frozenset[str] | None) -> tuple[str, tuple[int, ...]]:
    """The condition that a run is in one of these experiments, to stand before others; and its values."""
    if within is None:
        return "", ()
    if not within:
        return "NOT TRUE AND ", ()
    return f"experiment_id IN ({', '.join('?' * len(within))}) AND ", tuple(sorted(map(int, within)))


def _named(connection: Connection, reference: str, within: frozenset[str] | None) -> list[str]:
    inside, places = _inside(within)
    found = ids(connection, f"{inside}run_id = ?", *places, reference.lower()) or ids(
        connection,
        f"{inside}name = ? AND NOT forgotten ORDER BY deleted, number DESC LIMIT 1",
        *places,
        reference,
    )
    if found or len(reference) < SHORTEST_PREFIX:
        return found
    # A range, so that the index of ids finds them however many runs there are.
    beginning = reference.lower()
    return ids(
        connection,
        f"{inside}run_id >= ? AND run_id < ? ORDER BY number DESC LIMIT ?",
        *places,
        beginning,
        beginning + chr(sys.maxunicode),
        _SHOWN + 1,
    )
