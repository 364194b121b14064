"""Runs and entries as the database holds them, read through `sqlite3` (see `writing` for why)."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from mlproj.errors import Altered, RunNotFound
from mlproj.model.digest import Digest
from mlproj.model.entries import TombstoneDocument, read_amendment, read_tombstone
from mlproj.model.record import Entry, EntryKind, read_document, read_import
from mlproj.model.run import Amendment, Run, Status
from mlproj.store.connection import Connection
from mlproj.store.far_runs import heard_lately
from mlproj.store.machine import Machine
from mlproj.store_ports import Listed

_AT_ONCE = 200
_LONGEST_NUMBER = 18
"""Digits that every database has room for."""
_MOST_ENTRIES = 2**53 - 1
"""JSON has no whole numbers beyond."""
_ROW = (
    "SELECT r.run_id, r.name, r.created, r.status, r.deleted, r.opening, r.record, r.sequence, r.supervisor,"
    " r.boot_id, e.kind, e.digest, e.payload FROM runs r LEFT JOIN entries e ON e.sequence = r.sequence"
    " WHERE r.run_id = ?"
)
# What MLflow's client notes of every run is no tag that anybody gave it.
_LISTING = (
    "SELECT r.run_id, r.name, x.name, r.created, r.record IS NOT NULL OR r.status != 'RUNNING', r.deleted,"
    " r.hidden_at, r.forgotten,"
    " EXISTS (SELECT 1 FROM tags t WHERE t.run_id = r.run_id AND t.\"key\" NOT LIKE 'mlflow.%')"
    " FROM runs r LEFT JOIN experiments x ON x.id = r.experiment_id ORDER BY r.number"
)


def read_run(connection: Connection, run_id: str, machine: Machine) -> Run:
    """The run as it was sealed, or as it was begun. Raises Altered where its document is not what it was."""
    row = _row(connection, run_id)
    _, name, _, status, deleted, opening, record, sequence, supervisor, boot_id, kind, digest, payload = row
    try:
        if sequence is None:
            run = _document(opening, None, EntryKind.RUN.value, run_id, name)
            judged = supervisor is None or machine.can_judge(supervisor, boot_id)
            judged = judged or heard_lately(connection, run_id)
            shown = Status(status) if judged else Status.UNKNOWN
        else:
            run = _document(payload, digest, kind, run_id, name)
            shown = run.status
        amendments = read_amendments(connection, run_id)
    except ValueError as error:
        raise Altered(
            f"the record of run `{run_id}` has been altered: {error}",
            hint="`mlproj verify` tells what else was altered",
        ) from error
    return replace(
        run,
        status=shown,
        deleted=bool(deleted),
        record=None if record is None else text_digest(record),
        sequence=sequence,
        amendments=amendments,
    )


def _row(connection: Connection, run_id: str) -> tuple[Any, ...]:
    """The row of a run that is listed. Raises SQLite's own error where an index lists what is not there."""
    row: tuple[Any, ...] | None = connection.execute(_ROW, (run_id,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"malformed: run `{run_id}` is listed, and its row is gone")
    return row


def _document(payload: object, digest: object, kind: object, run_id: str, name: str) -> Run:
    """The run that a document holds. Raises ValueError where it is not the one that was sealed."""
    if payload is None:
        raise ValueError("nothing is left of it")
    raw = raw_bytes(payload)
    if digest is not None and Digest.of(raw) != digest:
        raise ValueError("its digest does not fit")
    reader = read_import if kind == EntryKind.IMPORT.value else read_document
    run = reader(raw, name=name)
    if run.run_id != run_id:
        raise ValueError(f"it is that of run `{run.run_id}`")
    return run


def read_runs(connection: Connection, run_ids: Sequence[str], machine: Machine) -> tuple[Run, ...]:
    """As `read_run`, but a run whose document cannot be read is given by what its row says alone."""
    runs = []
    for run_id in run_ids:
        try:
            runs.append(read_run(connection, run_id, machine))
        except Altered:
            runs.append(_bare_run(connection, run_id))
    return tuple(runs)


def read_amendments(connection: Connection, run_id: str) -> tuple[Amendment, ...]:
    """What was added after the seal, in order. Raises ValueError."""
    found = []
    for sequence, time, payload in connection.execute(
        "SELECT sequence, time, payload FROM entries WHERE run_id = ? AND kind = ? AND payload IS NOT NULL"
        " ORDER BY sequence",
        (run_id, EntryKind.AMENDMENT.value),
    ):
        document = read_amendment(raw_bytes(payload))
        found.append(Amendment(sequence=sequence, time=time, kind=document.kind, content=document.content))
    return tuple(found)


def read_entries(
    connection: Connection, *, after: int | None, kinds: Collection[EntryKind], run_id: str | None
) -> tuple[Entry, ...]:
    """The chain's next entries in order, those of some `kinds` or of one run alone where they are named,
    empty at its end. Raises Altered for one of no known kind."""
    # Only the conditions that there are, so that the database goes straight there.
    given: dict[str, tuple[object, ...]] = {
        "sequence > ?": () if after is None else (after,),
        f"kind IN ({', '.join('?' * len(kinds))})": tuple(kind.value for kind in kinds),
        "run_id = ?": () if run_id is None else (run_id,),
    }
    conditions = [condition for condition, values in given.items() if values]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        "SELECT sequence, kind, run_id, time, digest, previous, link, payload FROM entries"
        f"{where} ORDER BY sequence LIMIT {_AT_ONCE}",
        tuple(itertools.chain.from_iterable(given.values())),
    )
    return tuple(map(_entry, rows))


def read_listing(connection: Connection) -> tuple[Listed, ...]:
    return tuple(
        Listed(
            run_id=str(run_id),
            name=str(name),
            experiment=str(experiment),
            created=str(created),
            ended=bool(ended),
            hidden=bool(hidden),
            hidden_at=None if hidden_at is None else str(hidden_at),
            forgotten=bool(forgotten),
            tagged=bool(tagged),
        )
        for run_id, name, experiment, created, ended, hidden, hidden_at, forgotten, tagged in (
            connection.execute(_LISTING)
        )
    )


def read_faults(connection: Connection) -> tuple[str, ...]:
    """What SQLite's own check of pages and indexes tells. A server looks after its own."""
    if not isinstance(connection, sqlite3.Connection):
        return ()
    told = (str(row[0]) for row in connection.execute("PRAGMA integrity_check"))
    return tuple(fault for fault in told if fault != "ok")


def read_experiment(connection: Connection, identifier: str) -> str | None:
    """The name of the experiment with that id."""
    if not identifier.isascii() or not identifier.isdigit() or len(identifier) > _LONGEST_NUMBER:
        return None
    row = connection.execute("SELECT name FROM experiments WHERE id = ?", (int(identifier),)).fetchone()
    return None if row is None else str(row[0])


def read_experiment_of(connection: Connection, run_id: str) -> str:
    """The id of the experiment that a run is under. Raises RunNotFound."""
    row = connection.execute("SELECT experiment_id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        raise RunNotFound(f"there is no run `{run_id}`")
    return str(row[0])


def read_head(connection: Connection) -> tuple[int, Digest]:
    row = connection.execute("SELECT sequence, link FROM chain WHERE id = 1").fetchone()
    if row is None:
        raise Altered("the note of the chain's last entry is gone")
    if not isinstance(row[0], int):
        raise Altered("the note of the chain's last entry holds no number")
    return row[0], text_digest(row[1])


def read_tombstone_of(connection: Connection, run_id: str) -> TombstoneDocument | None:
    """The tombstone of a run that was forgotten, None where there is none that can be read."""
    row = connection.execute(
        "SELECT payload FROM entries WHERE run_id = ? AND kind = ?", (run_id, EntryKind.TOMBSTONE.value)
    ).fetchone()
    try:
        return None if row is None else read_tombstone(raw_bytes(row[0]))
    except ValueError:
        return None


def text_digest(cell: object) -> Digest:
    """A cell as a digest, whatever it holds: one that is none equals no other and is so found out."""
    return str.__new__(Digest, str(cell))


def _entry(row: tuple[Any, ...]) -> Entry:
    sequence, kind, run_id, time, digest, previous, link, payload = row
    try:
        known = EntryKind(kind)
    except ValueError as error:
        raise Altered(
            f"entry {sequence} of the chain, of run `{run_id}`, is of no known kind: `{kind}`"
        ) from error
    if abs(sequence) > _MOST_ENTRIES:
        raise Altered(f"the chain has an entry with the number {sequence}, which none can have")
    return Entry(
        sequence=sequence,
        kind=known,
        run_id=str(run_id),
        time=str(time),
        digest=text_digest(digest),
        previous=text_digest(previous),
        link=text_digest(link),
        payload=None if payload is None else raw_bytes(payload),
    )


def _bare_run(connection: Connection, run_id: str) -> Run:
    row = _row(connection, run_id)
    _, name, created, status, deleted, _, record, sequence = row[:8]
    return Run(
        run_id=run_id,
        name=str(name),
        created=str(created),
        plan=None,
        job=None,
        status=Status(status) if status in Status._value2member_map_ else Status.UNKNOWN,
        deleted=bool(deleted),
        record=None if record is None else text_digest(record),
        sequence=sequence,
    )


def raw_bytes(cell: object) -> bytes:
    """A cell as bytes, whatever it holds."""
    return cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogateescape")
