"""Thousands of runs in no time, in our database or in MLflow's: copies of one, with metrics of their own."""

from __future__ import annotations

import random
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_DETAILS = ("params", "tags", "latest_metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the two call a run's columns; `fresh` is given by the database."""

    run_id: str
    started: str
    fresh: frozenset[str] = frozenset()


OURS = Schema(run_id="run_id", started="started_ms", fresh=frozenset(("number",)))
MLFLOWS = Schema(run_id="run_uuid", started="start_time")


def multiply(database: Path, schema: Schema, template: str, count: int) -> None:
    """Adds `count` runs like `template`, each begun a millisecond later, with latest metrics from 0 to 1."""
    values = random.Random(1)
    ids = [uuid.uuid4().hex for _ in range(count)]
    with closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.create_function("picked", 0, values.random)
        connection.execute("BEGIN IMMEDIATE")
        started = {schema.started: f'"{schema.started}" + ?'}
        numbered = [(run_id, number, template) for number, run_id in enumerate(ids, 1)]
        connection.executemany(_copy(connection, schema, "runs", started), numbered)
        for table in _DETAILS:
            given = {"value": "picked()"} if table == "latest_metrics" else {}
            copies = [(run_id, template) for run_id in ids]
            connection.executemany(_copy(connection, schema, table, given), copies)
        connection.execute("COMMIT")


def _copy(connection: sqlite3.Connection, schema: Schema, table: str, given: dict[str, str]) -> str:
    """The statement that copies the template's rows of a table under another id."""
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    kept = [name for name in columns if name not in schema.fresh and name != schema.run_id]
    names = ", ".join(f'"{name}"' for name in (schema.run_id, *kept))
    values = ", ".join(given.get(name, f'"{name}"') for name in kept)
    return f"INSERT INTO {table} ({names}) SELECT ?, {values} FROM {table} WHERE {schema.run_id} = ?"
