"""What is written on the way of a run: its opening, its seal, and what is added to the chain later.

Written in portable SQL for the standard library's `sqlite3`, because importing SQLAlchemy takes longer than
everything else that recording a run costs. Each function expects to be inside a `database.transaction`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from mlproj.errors import RunNotFound, StoreError
from mlproj.model.digest import Digest
from mlproj.model.entries import RemovedPayload, TombstoneDocument
from mlproj.model.index import DEFAULT_EXPERIMENT, Index, index_of, number_in
from mlproj.model.logged import Logged, Point, order, read_points
from mlproj.model.record import EntryKind, encode, link, opening_document
from mlproj.model.run import Run
from mlproj.store.connection import Connection, held
from mlproj.store.machine import Machine
from mlproj.store_ports import BlobStore

_DETAILS = ("params", "latest_metrics", "tags", "inputs", "outputs")
_LOGGED = ("dataset_inputs", "run_models", "logged_model_metrics", "unshown")

_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,63}", re.ASCII)
"""It is the name of the run's folder."""

_UNNAMED = 0
"""The experiment of runs that name none, by its id, which is the one that MLflow's clients know it by."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was just appended."""

    sequence: int
    digest: Digest


def open_run(
    connection: Connection,
    run: Run,
    machine: Machine,
    *,
    experiment: str | None = None,
    into_deleted: bool = False,
) -> None:
    """The row of a run that begins, in the experiment of that name, else its own. Raises StoreError where the
    id is none or taken, and where the experiment is deleted, as its runs are hidden and clients log none to
    it; but not `into_deleted`, for one that was deleted elsewhere."""
    if not _RUN_ID.fullmatch(run.run_id):
        raise StoreError(f"`{run.run_id[:100]}` cannot be the id of a run")
    if connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run.run_id,)).fetchone():
        raise StoreError(f"there is a run `{run.run_id}` already")
    index = index_of(run)
    columns = {
        "run_id": run.run_id,
        "name": run.name,
        "supervisor": machine.host,
        "boot_id": machine.boot_id,
        "opening": opening_document(run),
        **_columns(connection, index if experiment is None else replace(index, experiment=experiment)),
    }
    if not into_deleted:
        _refuse_deleted(connection, columns["experiment_id"])
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", tuple(columns.values()))
    _write_details(connection, run.run_id, index)


def still_open(connection: Connection, run_id: str) -> bool:
    """Whether the run waits for its seal; in a transaction its row is held. Raises RunNotFound."""
    query = f"SELECT sequence FROM runs WHERE run_id = ?{held(connection)}"
    row = connection.execute(query, (run_id,)).fetchone()
    if row is None:
        raise RunNotFound(f"there is no run `{run_id}`")
    return row[0] is None


def close_run(connection: Connection, run: Run, kind: EntryKind, payload: bytes, time: str) -> Link:
    """Appends the record and has the row say what it says."""
    if not still_open(connection, run.run_id):
        raise StoreError(f"the run `{run.run_id}` is sealed already")
    appended = append(connection, kind=kind, run_id=run.run_id, time=time, payload=payload)
    index = index_of(run)
    columns = {
        **_columns(connection, index),
        "record": appended.digest,
        "sequence": appended.sequence,
        "opening": None,
    }
    _update(connection, run.run_id, columns)
    _rewrite_details(connection, run.run_id, index)
    if run.outcome is not None:
        end = index.ended_ms or 0
        add_points(
            connection,
            run.run_id,
            (
                (key, (step, end, value))
                for key, points in run.outcome.points.items()
                for (step, _, _), value in points.items()
            ),
        )
    return appended


def rewrite(connection: Connection, run_id: str, index: Index) -> None:
    """Has the row of a sealed run, and the tables of what it has many of, say what the index says."""
    _update(connection, run_id, {"logged_status": index.logged_status, "ended_ms": index.ended_ms})
    _rewrite_details(connection, run_id, index)


def add_points(connection: Connection, run_id: str, points: Iterable[tuple[str, Point]]) -> None:
    """Puts points of metrics, by key, beside those that are there; the same one once."""
    (number,) = connection.execute("SELECT number FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    cells = ((number, key, *order(point)) for key, point in points)
    connection.executemany(
        'INSERT INTO metric_points (run, "key", step, "timestamp", value, nan) VALUES (?, ?, ?, ?, ?, ?)'
        " ON CONFLICT DO NOTHING",
        cells,
    )


def add_history(connection: Connection, run_id: str, logged: Logged | None, blobs: BlobStore) -> None:
    """Brings in the points of metrics that a record from elsewhere names."""
    if logged is not None and logged.history is not None:
        with blobs.path(logged.history).open("rb") as lines:
            add_points(connection, run_id, read_points(lines))


def append(connection: Connection, *, kind: EntryKind, run_id: str, time: str, payload: bytes) -> Link:
    """The chain's next entry. Whoever appends holds the chain's head until the transaction ends: so the rows
    that are written too are held before, by everybody alike."""
    query = f"SELECT sequence, link FROM chain WHERE id = 1{held(connection)}"
    head, previous = connection.execute(query).fetchone()
    sequence, digest = head + 1, Digest.of(payload)
    linked = link(
        sequence=sequence, kind=kind, run_id=run_id, time=time, digest=digest, previous=Digest(previous)
    )
    connection.execute(
        "INSERT INTO entries (sequence, kind, run_id, time, digest, previous, link, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (sequence, kind.value, run_id, time, digest, previous, linked, payload),
    )
    connection.execute("UPDATE chain SET sequence = ?, link = ? WHERE id = 1", (sequence, linked))
    return Link(sequence=sequence, digest=digest)


def hide_run(connection: Connection, run_id: str, since: str | None) -> None:
    """Hides a run, or with None brings it back."""
    connection.execute(
        "UPDATE runs SET deleted = ?, hidden_at = ? WHERE run_id = ?", (since is not None, since, run_id)
    )


def take_away(connection: Connection, run_id: str, *, who: str, when: str, why: str) -> None:
    """Empties a run's entries and its row, and appends the tombstone that says so."""
    removed = tuple(
        RemovedPayload(sequence=sequence, digest=Digest(digest))
        for sequence, digest in connection.execute(
            "SELECT sequence, digest FROM entries WHERE run_id = ? AND payload IS NOT NULL", (run_id,)
        )
    )
    tombstone = TombstoneDocument(run_id=run_id, removed=removed, who=who, when=when, why=why)
    # What is deleted shall not linger in free pages of the file.
    connection.execute("UPDATE entries SET payload = NULL WHERE run_id = ?", (run_id,))
    append(connection, kind=EntryKind.TOMBSTONE, run_id=run_id, time=when, payload=encode(tombstone))
    _clear_details(connection, run_id)
    connection.execute(
        "DELETE FROM metric_points WHERE run = (SELECT number FROM runs WHERE run_id = ?)", (run_id,)
    )
    for table in _LOGGED:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM datasets WHERE id NOT IN (SELECT dataset_id FROM dataset_inputs)")
    connection.execute(
        "UPDATE runs SET forgotten = TRUE, name = '', project = NULL, entry_point = NULL, uri = NULL,"
        ' commit_id = NULL, dirty = NULL, user_name = NULL, host = NULL, snapshot = NULL, "plan" = NULL'
        " WHERE run_id = ?",
        (run_id,),
    )


def _columns(connection: Connection, index: Index) -> dict[str, object]:
    return {
        "experiment_id": _experiment(connection, index.experiment, index.created),
        "status": index.status,
        "created": index.created,
        "started": index.started,
        "ended": index.ended,
        "duration": index.duration,
        "exit_code": index.exit_code,
        '"plan"': index.plan,
        "project": index.project,
        "entry_point": index.entry_point,
        "uri": index.uri,
        "commit_id": index.commit,
        "dirty": index.dirty,
        "user_name": index.user,
        "host": index.host,
        "parent": index.parent,
        "reproduces": index.reproduces,
        "snapshot": index.snapshot,
        "started_ms": index.started_ms,
        "ended_ms": index.ended_ms,
        "logged_status": index.logged_status,
    }


def _update(connection: Connection, run_id: str, columns: Mapping[str, object]) -> None:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(f"UPDATE runs SET {assignments} WHERE run_id = ?", (*columns.values(), run_id))


def _rewrite_details(connection: Connection, run_id: str, index: Index) -> None:
    _clear_details(connection, run_id)
    _write_details(connection, run_id, index)


def _number(value: float | str | None) -> float | None:
    return None if value is None else number_in(str(value))


def _experiment(connection: Connection, name: str, created: str) -> int:
    """The id of the experiment of that name. Runs that name none stay where they were when it is renamed."""
    row = connection.execute("SELECT id FROM experiments WHERE name = ?", (name,)).fetchone()
    if row is None and name == DEFAULT_EXPERIMENT:
        row = connection.execute("SELECT id FROM experiments WHERE id = ?", (_UNNAMED,)).fetchone()
    if row is None:
        new = "INSERT INTO experiments (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING"
        connection.execute(new, (name, created))
        row = connection.execute("SELECT id FROM experiments WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def _refuse_deleted(connection: Connection, number: object) -> None:
    query = "SELECT name FROM experiments WHERE id = ? AND deleted"
    row = connection.execute(query, (number,)).fetchone()
    if row is not None:
        raise StoreError(
            f"the experiment `{row[0]}` is deleted",
            hint="name another one with `--experiment-name`, or restore it by MLflow's client",
        )


def _clear_details(connection: Connection, run_id: str) -> None:
    for table in _DETAILS:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))


def _write_details(connection: Connection, run_id: str, index: Index) -> None:
    _insert(
        connection,
        "params",
        ("run_id", '"key"', "value", "type", "number"),
        ((run_id, key, text, kind, number_in(text)) for key, (text, kind) in index.params.items()),
    )
    _insert(
        connection,
        "latest_metrics",
        ("run_id", '"key"', "value", "step", '"timestamp"', "minimum", "maximum", '"count"'),
        (
            (run_id, key, _number(value), step, timestamp, _number(minimum), _number(maximum), count)
            for key, (value, step, timestamp, minimum, maximum, count) in index.metrics.items()
        ),
    )
    _insert(
        connection,
        "tags",
        ("run_id", '"key"', "value"),
        ((run_id, key, value) for key, value in index.tags.items()),
    )
    _insert(
        connection,
        "inputs",
        ("run_id", "position", "name", "path", "digest", "size"),
        ((run_id, position, *row) for position, row in enumerate(sorted(index.inputs, key=repr))),
    )
    _insert(
        connection,
        "outputs",
        ("run_id", "position", "path", "state", "digest", "size"),
        ((run_id, position, *row) for position, row in enumerate(sorted(index.outputs, key=repr))),
    )


def _insert(
    connection: Connection, table: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> None:
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
