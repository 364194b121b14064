"""A long history in no time: one recorded run, again under other ids, sealed and chained like the first."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mlproj.model.digest import Digest
from mlproj.model.record import EntryKind, link
from mlproj.store.database import FILE

_DETAILS = ("params", "latest_metrics", "tags", "inputs", "outputs")
_AT_ONCE = 5000


Renewed = Callable[[], str]
"""Makes content of its own for a further run, and gives its digest."""


def lengthen(root: Path, count: int, *, shared: str = "", renewed: Renewed = str) -> None:
    """Has the store at `root`, which holds one run, hold `count` of them. `mlproj verify` finds it sound.

    The content with the digest `shared`, where one is named, is each run's own, `renewed` for it.
    """
    with closing(sqlite3.connect(root / FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        first = _row(connection, "runs")
        details = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in _DETAILS}
        for start in range(1, count, _AT_ONCE):
            ids = [uuid.uuid4().hex for _ in range(min(_AT_ONCE, count - start))]
            connection.execute("BEGIN IMMEDIATE")
            own = {run_id: renewed() for run_id in ids} if shared else {}
            entries = list(_entries(connection, first["run_id"], ids, (shared, own)))
            _insert(connection, "entries", entries)
            runs = [_run(first, entry, start + place) for place, entry in enumerate(entries)]
            _insert(connection, "runs", runs)
            for table, rows in details.items():
                if not rows:
                    continue
                repeated = [
                    (run_id, *(own.get(run_id) if cell == shared else cell for cell in row[1:]))
                    for run_id in ids
                    for row in rows
                ]
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", repeated)
            numbers = [run["number"] for run in runs]
            points = connection.execute("SELECT * FROM metric_points WHERE run = ?", (first["number"],))
            _insert_points(connection, numbers, points.fetchall())
            last = (entries[-1]["sequence"], entries[-1]["link"])
            connection.execute("UPDATE chain SET sequence = ?, link = ?", last)
            connection.execute("COMMIT")


def _insert_points(connection: sqlite3.Connection, numbers: list[int], points: list[tuple[Any, ...]]) -> None:
    repeated = [(number, *point[1:]) for number in numbers for point in points]
    connection.executemany("INSERT INTO metric_points VALUES (?, ?, ?, ?, ?, ?)", repeated)


def _entries(
    connection: sqlite3.Connection, first_id: str, ids: list[str], renewed: tuple[str, dict[str, str]]
) -> Iterator[dict[str, Any]]:
    shared, own = renewed
    first = _row(connection, "entries")
    sequence, previous = connection.execute("SELECT sequence, link FROM chain").fetchone()
    for run_id in ids:
        payload = first["payload"].replace(first_id.encode(), run_id.encode())
        if run_id in own:
            payload = payload.replace(shared.encode(), own[run_id].encode())
        sequence, digest = sequence + 1, Digest.of(payload)
        linked = link(
            sequence=sequence,
            kind=EntryKind.RUN,
            run_id=run_id,
            time=first["time"],
            digest=digest,
            previous=Digest(previous),
        )
        facts = {"sequence": sequence, "run_id": run_id, "digest": digest, "previous": previous}
        yield {**first, **facts, "link": linked, "payload": payload}
        previous = linked


def _run(first: dict[str, Any], entry: dict[str, Any], number: int) -> dict[str, Any]:
    facts = {"number": number + 1, "run_id": entry["run_id"], "name": f"run-{number}"}
    return {**first, **facts, "record": entry["digest"], "sequence": entry["sequence"]}


def _row(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")
    names = [column[0] for column in cursor.description]
    return dict(zip(names, cursor.fetchone(), strict=True))


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(
        f"INSERT INTO {table} ({names}) VALUES ({marks})", [tuple(row.values()) for row in rows]
    )
