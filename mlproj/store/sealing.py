"""A run is sealed with what its script logged, and before it the further runs that the script began."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.digest import readable
from mlproj.model.moment import timestamp
from mlproj.model.record import EntryKind, read_document, seal_document
from mlproj.model.run import Outcome, Output, Run, Status, Usage
from mlproj.store.blobs import FolderBlobs
from mlproj.store.gathering import gather_logged
from mlproj.store.writing import close_run, still_open

LEFT_OPEN = "the script ended, and left this run open"
ENDED = {status.value: status for status in (Status.FINISHED, Status.FAILED, Status.KILLED)}
"""The statuses that a client ends a run with."""

_ARTIFACTS = "artifacts"
_BEGUN = (
    "SELECT run_id, name, created, opening, started_ms, ended_ms, logged_status FROM runs"
    " WHERE sequence IS NULL AND"
)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a client began, as its row tells, with the artifacts in its folder."""

    run: Run
    started_ms: int | None
    ended_ms: int | None
    logged_status: str | None
    outputs: tuple[Output, ...] = ()


def seal_run(connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run: Run, time: str) -> Run:
    """Appends the record of a run that has an outcome, after those of the runs that it owns; returns it as
    it was sealed. Expects to be in a transaction."""
    if not still_open(connection, run.run_id):
        raise StoreError(f"the run `{run.run_id}` is sealed already")
    assert run.outcome is not None, "a run that is sealed has ended"
    for begun in owned_runs(connection, root, blobs, run.run_id):
        seal_begun(connection, root, blobs, begun, time, ended_with=run.outcome)
    logged = gather_logged(connection, root / "runs" / run.run_id, blobs, run)
    complete = replace(run, outcome=replace(run.outcome, logged=logged))
    link = close_run(connection, complete, EntryKind.RUN, seal_document(complete), time)
    return replace(complete, record=link.digest, sequence=link.sequence)


def owned_runs(
    connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, owner: str
) -> tuple[Begun, ...]:
    """The runs that are not sealed and whose script is that of the run `owner`."""
    rows = connection.execute(f"{_BEGUN} owner = ? ORDER BY number", (owner,)).fetchall()
    return tuple(_begun(row, root, blobs) for row in rows)


def begun_run(connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, run_id: str) -> Begun:
    return _begun(connection.execute(f"{_BEGUN} run_id = ?", (run_id,)).fetchone(), root, blobs)


def seal_begun(
    connection: sqlite3.Connection,
    root: Path,
    blobs: FolderBlobs,
    begun: Begun,
    time: str,
    *,
    ended_with: Outcome | None = None,
) -> None:
    """Seals a run that a client began, with the status that it set, else as the script ended."""
    status = ENDED.get(begun.logged_status or "")
    reason = None
    if status is None:
        status = Status.KILLED if ended_with is None else ended_with.status
        reason = LEFT_OPEN
    last = time if ended_with is None else ended_with.ended
    started = _moment(begun.started_ms, begun.run.created)
    ended = max(started, last if reason or begun.ended_ms is None else _moment(begun.ended_ms, last))
    wall = 0.0
    if reason is None and begun.started_ms is not None and begun.ended_ms is not None:
        wall = max(0, begun.ended_ms - begun.started_ms) / 1000
    run = replace(
        begun.run,
        outcome=Outcome(
            status=status,
            exit_code=None,
            reason=reason,
            started=started,
            ended=ended,
            usage=Usage(wall_s=wall, cpu_s=0.0, peak_rss_bytes=0),
            outputs=begun.outputs,
        ),
        status=status,
    )
    seal_run(connection, root, blobs, run, time)


def _begun(row: tuple[object, ...], root: Path, blobs: FolderBlobs) -> Begun:
    run_id, name, created, opening, started, ended, status = row
    try:
        run = read_document(opening if isinstance(opening, bytes) else b"", name=str(name))
    except ValueError:
        run = Run(run_id=str(run_id), name=str(name), created=str(created), plan=None, job=None)
    return Begun(
        run=run,
        started_ms=started if isinstance(started, int) else None,
        ended_ms=ended if isinstance(ended, int) else None,
        logged_status=None if status is None else str(status),
        outputs=_artifacts(root / "runs" / run.run_id / _ARTIFACTS, blobs),
    )


def _artifacts(folder: Path, blobs: FolderBlobs) -> tuple[Output, ...]:
    """Keeps every file in a run's output folder. What vanishes meanwhile is none."""
    kept = []
    for name in sorted(_files(folder)):
        try:
            digest, size = blobs.add_file(folder / name)
        except StoreError:
            if (folder / name).exists():
                raise
            continue
        path = f"{_ARTIFACTS}/{readable(name)}"
        kept.append(Output(path=path, state="written", digest=digest, size=size, declared=False))
    return tuple(kept)


def _files(folder: Path) -> Iterator[str]:
    """The regular files in a folder, links left out; paths relative to it."""
    for inside, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(inside, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, folder)


def _moment(milliseconds: int | None, otherwise: str) -> str:
    try:
        return otherwise if milliseconds is None else timestamp(milliseconds / 1000)
    except (ValueError, OverflowError):
        return otherwise
