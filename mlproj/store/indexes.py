"""What is searched of runs as the tables have it: of many runs at once, since `verify` asks for all."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import fields

from mlproj.model.digest import Digest
from mlproj.model.index import DETAILS, Index, number_in
from mlproj.model.logged import FEW_POINTS, Point, digest_of_points
from mlproj.store.connection import Connection
from mlproj.store.reading import raw_bytes
from mlproj.store.servers.connection import ServerConnection

_INDEXED = (*(field.name for field in fields(Index) if field.name not in DETAILS), "record", "sequence")
_COLUMNS = (
    "SELECT r.run_id, r.status, r.created, x.name, r.started, r.ended, r.duration, r.exit_code,"
    ' r."plan", r.project, r.entry_point, r.uri, r.commit_id, r.dirty, r.user_name, r.host, r.parent,'
    " r.reproduces, r.snapshot, r.started_ms, r.ended_ms, r.logged_status, r.record, r.sequence"
    " FROM runs r LEFT JOIN experiments x ON x.id = r.experiment_id WHERE r.run_id IN"
)
_POINTS = (
    'SELECT r.run_id, p."key", p.step, p."timestamp", p.value, p.nan FROM metric_points p'
    " JOIN runs r ON r.number = p.run WHERE r.run_id IN"
)
_IN_ORDER = ' ORDER BY p.run, p."key", p.step, p."timestamp", p.value, p.nan'

_AFTER = ' AND (p."key", p.step, p."timestamp", p.value, p.nan) > (?, ?, ?, ?, ?)'
_AT_ONCE = 5000

Rows = dict[str, list[tuple[Any, ...]]]
"""Rows by the run that they are of."""


def read_indexes(connection: Connection, run_ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """What the searchable columns say of each run that there is a row of."""
    some = _Some(connection, run_ids)
    columns = some.rows(_COLUMNS)
    details = _details(some)
    histories = _histories(some)
    found = {}
    for run_id, [row] in columns.items():
        index: dict[str, object] = dict(zip(_INDEXED, row, strict=True))
        index["dirty"] = None if index["dirty"] is None else bool(index["dirty"])
        for name, (rows, read) in details.items():
            index[name] = read(rows.get(run_id, ()))
        index["history"] = histories.get(run_id)
        found[run_id] = index
    return found


def read_points(connection: Connection, run_id: str) -> Iterator[tuple[str, Point]]:
    """Every point of every metric of a run, by key, step, time and value."""
    if isinstance(connection, ServerConnection):
        yield from _by_pages(connection, run_id)
    else:
        for row in connection.execute(f"{_POINTS} (?){_IN_ORDER}", (run_id,)):
            yield _point(row[1:])


def _by_pages(connection: ServerConnection, run_id: str) -> Iterator[tuple[str, Point]]:
    """A server's driver has the whole of an answer in memory, and there may be millions."""
    after = ""
    values: tuple[object, ...] = (run_id,)
    while True:
        query = f"{_POINTS} (?){after}{_IN_ORDER} LIMIT {_AT_ONCE}"
        rows = connection.execute(query, values).fetchall()
        for row in rows:
            yield _point(row[1:])
        if len(rows) < _AT_ONCE:
            return
        after, values = _AFTER, (run_id, *rows[-1][1:])


class _Some:
    """Asks for the rows of some runs."""

    def __init__(self, connection: Connection, run_ids: Sequence[str]) -> None:
        self._connection = connection
        self._run_ids = run_ids
        self._marks = f" ({', '.join('?' * len(run_ids))})"

    def rows(self, query: str) -> Rows:
        """The rows of a query whose first column is the run's id, each without it."""
        found: Rows = {}
        for row in self.one_by_one(query):
            found.setdefault(row[0], []).append(row[1:])
        return found

    def one_by_one(self, query: str, order: str = "") -> Iterator[tuple[Any, ...]]:
        return iter(self._connection.execute(query + self._marks + order, self._run_ids))


def _histories(some: _Some) -> dict[str, tuple[tuple[Any, ...], ...] | Digest | None]:
    """Every point of each run's metrics, or where there are many, as there may be millions, their digest."""
    found: dict[str, tuple[tuple[Any, ...], ...] | Digest | None] = {}
    for run_id, rows in itertools.groupby(some.one_by_one(_POINTS, _IN_ORDER), key=operator.itemgetter(0)):
        first = tuple(row[1:] for row in itertools.islice(rows, FEW_POINTS + 1))
        if len(first) <= FEW_POINTS:
            found[run_id] = first
        else:
            points = itertools.chain(first, (row[1:] for row in rows))
            found[run_id] = digest_of_points(map(_point, points))
    return found


def _details(some: _Some) -> dict[str, tuple[Rows, Any]]:
    """Of each field that holds many things: the rows, and what makes its value of those of a run."""
    return {
        "params": (
            some.rows('SELECT run_id, "key", value, type, number FROM params WHERE run_id IN'),
            _params,
        ),
        "metrics": (
            some.rows(
                'SELECT run_id, "key", value, step, "timestamp", minimum, maximum, "count"'
                " FROM latest_metrics WHERE run_id IN"
            ),
            _metrics,
        ),
        "tags": (some.rows('SELECT run_id, "key", value FROM tags WHERE run_id IN'), dict),
        "inputs": (
            some.rows("SELECT run_id, name, path, digest, size FROM inputs WHERE run_id IN"),
            frozenset,
        ),
        "outputs": (
            some.rows("SELECT run_id, path, state, digest, size FROM outputs WHERE run_id IN"),
            frozenset,
        ),
        "datasets": (
            some.rows(
                "SELECT i.run_id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, i.tags"
                " FROM dataset_inputs i JOIN datasets d ON d.id = i.dataset_id WHERE i.run_id IN"
            ),
            _datasets,
        ),
        "models": (
            some.rows("SELECT run_id, model_id, direction, step FROM run_models WHERE run_id IN"),
            frozenset,
        ),
    }


def _params(rows: Sequence[tuple[Any, ...]]) -> dict[str, tuple[object, ...]]:
    return {
        # The value is searched as a number, too: one that is not its own makes what fits nothing.
        str(key): (value, kind) if number == number_in(str(value)) else (value, kind, number)
        for key, value, kind, number in rows
    }


def _metrics(rows: Sequence[tuple[Any, ...]]) -> dict[str, tuple[object, ...]]:
    return {
        key: (
            "NaN" if value is None else _spelt(value),
            step,
            timestamp,
            _spelt(minimum),
            _spelt(maximum),
            count,
        )
        for key, value, step, timestamp, minimum, maximum, count in rows
    }


def _datasets(rows: Sequence[tuple[Any, ...]]) -> frozenset[tuple[object, ...]]:
    return frozenset(
        (name, digest, kind, source, _digest_of(schema), _digest_of(profile), tags)
        for name, digest, kind, source, schema, profile, tags in rows
    )


def _spelt(value: object) -> object:
    """A number of a metric as a record spells it."""
    if value in (math.inf, -math.inf):
        return "Infinity" if value == math.inf else "-Infinity"
    return value


def _digest_of(text: object) -> Digest | None:
    return None if text is None else Digest.of(raw_bytes(text))


def _point(row: tuple[Any, ...]) -> tuple[str, Point]:
    key, step, timestamp, value, nan = row
    return str(key), (step, timestamp, math.nan if nan else value)
