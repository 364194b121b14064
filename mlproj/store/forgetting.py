"""Forgetting runs: their payloads and rows go, with a tombstone for each. Their content is garbage then."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Sequence

from mlproj.errors import StoreError
from mlproj.store.connection import Connection
from mlproj.store.database import transaction
from mlproj.store.folders import drop_folders
from mlproj.store.needless import drop_models, drop_traces, needed_runs
from mlproj.store.references import ids, refuse_forgotten
from mlproj.store.writing import still_open, take_away

_AT_ONCE = 200
"""How many runs go in one transaction."""


def forget_runs(connection: Connection, run_ids: Sequence[str], *, who: str, when: str, why: str) -> None:
    """Leaves tombstones in the chain for sealed, hidden runs; the chain itself stays whole.

    Raises StoreError where a run is not hidden, or is needed, RunNotFound where it is not there any more.
    """
    if isinstance(connection, sqlite3.Connection):
        # What is taken away shall not linger in free pages of the file, nor in its journal.
        connection.execute("PRAGMA secure_delete = ON")
    for start in range(0, len(run_ids), _AT_ONCE):
        with transaction(connection):
            needed = needed_runs(connection)
            for run_id in run_ids[start : start + _AT_ONCE]:
                _refuse(connection, run_id, needed)
                take_away(connection, run_id, who=who, when=when, why=why)
                drop_traces(connection, run_id)
    with transaction(connection):
        drop_models(connection)
        drop_folders(connection)
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def shrink(connection: Connection) -> None:
    """Gives free pages back to the disk where there are many; not now, where somebody else is writing. At a
    server nothing is to be done: it sees to that by itself."""
    if not isinstance(connection, sqlite3.Connection):
        return
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free * 5 > pages:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _refuse(connection: Connection, run_id: str, needed: Collection[str]) -> None:
    open_yet = still_open(connection, run_id)
    refuse_forgotten(connection, run_id)
    if open_yet or not ids(connection, "run_id = ? AND deleted", run_id):
        raise StoreError(f"the run `{run_id}` is not hidden", hint=f"hide it with `mlproj rm {run_id}`")
    if run_id in needed:
        raise StoreError(
            f"a version of a registered model is made of what the run `{run_id}` left",
            hint="delete that version first: `mlproj models search` has them",
        )
