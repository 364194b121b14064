"""Runs whose runner ended without a word are closed at the next look, with what is left of them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from mlproj.files import locked_now
from mlproj.logs import gather
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import blobs_of, read_document
from mlproj.model.run import LOGS, LogFile, Outcome, Run, Status, Usage
from mlproj.store.blobs import FolderBlobs
from mlproj.store.database import transaction
from mlproj.store.keeping import keep_all
from mlproj.store.machine import Machine
from mlproj.store.room import release
from mlproj.store.sealing import seal_owned, seal_run
from mlproj.store.writing import still_open

REASON = "the runner ended without closing the run"


def close_dead_runs(
    connection: sqlite3.Connection, root: Path, blobs: FolderBlobs, machine: Machine, clock: Callable[[], str]
) -> None:
    """Seals as KILLED every run that this machine can tell is dead: nobody holds its lock.

    The runs that its script began end with it. A run of another host is left alone, and so is one that a
    client of a server began, which nobody supervises. Of several processes that look at once, one closes it.
    """
    rows = connection.execute(
        "SELECT run_id, name, created, supervisor, boot_id, opening FROM runs"
        " WHERE sequence IS NULL AND owner IS NULL AND supervisor IS NOT NULL"
    ).fetchall()
    for run_id, name, created, supervisor, boot_id, opening in rows:
        if not machine.can_judge(supervisor, boot_id):
            continue
        lock = lock_of(root, run_id)
        with locked_now(lock) as free:
            if free and still_open(connection, run_id):
                release(root / "runs" / run_id)
                run = _as_begun(run_id, name, created, opening)
                _close(connection, run, root, blobs, clock())
            if free:
                lock.unlink(missing_ok=True)
                clear_workspace(root / "runs" / run_id)


def lock_of(root: Path, run_id: str) -> Path:
    """The file that the supervisor of a run keeps locked while it lives."""
    return root / "locks" / run_id


def clear_workspace(folder: Path) -> None:
    """Removes from a sealed run's folder what its record holds: the logs, and an empty output folder."""
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for emptied in (folder / "artifacts", folder):
        with contextlib.suppress(OSError):
            emptied.rmdir()


def _as_begun(run_id: str, name: str, created: str, opening: bytes | None) -> Run:
    try:
        return read_document(opening or b"", name=name)
    except ValueError:
        return Run(run_id=run_id, name=name, created=created, plan=None, job=None)


def _close(connection: sqlite3.Connection, run: Run, root: Path, blobs: FolderBlobs, now: str) -> None:
    logs = root / "runs" / run.run_id / "logs"
    outcome = Outcome(
        status=Status.KILLED,
        exit_code=None,
        reason=REASON,
        started=run.created,
        # The clock may have been set back since.
        ended=max(now, run.created),
        usage=Usage(wall_s=0.0, cpu_s=0.0, peak_rss_bytes=0),
        logs=tuple(_kept(logs / name, blobs) for name in LOGS if (logs / name).is_file()),
        lost=_lost(run, blobs),
    )
    closed = replace(run, outcome=outcome, status=Status.KILLED)
    seal_owned(connection, root, blobs, closed, lambda: now, keep_all(connection, root, blobs, run.run_id))
    with transaction(connection):
        if still_open(connection, run.run_id):
            seal_run(connection, root, blobs, closed, now)


def _kept(path: Path, blobs: FolderBlobs) -> LogFile:
    kept = gather(path)
    digest, size = blobs.adopt_file(kept.path)
    return LogFile(name=path.name, digest=digest, size=size, cut=kept.cut, cut_at=kept.cut_at)


def _lost(run: Run, blobs: FolderBlobs) -> tuple[Digest, ...]:
    """The blobs that the run names and that never came into the store."""
    lost = set()
    for reference in blobs_of(run):
        if reference.digest not in blobs:
            lost.add(reference.digest)
        elif reference.manifest:
            lost.update(digest for digest in _listed(reference.digest, blobs) if digest not in blobs)
    if run.job is not None:
        source = run.job.source
        lost.difference_update(file.digest for file in source.omitted if file.digest is not None)
        if source.omitted_manifest is not None and source.omitted_manifest in blobs:
            lost.difference_update(_listed(source.omitted_manifest, blobs))
    return tuple(sorted(lost))


def _listed(manifest: Digest, blobs: FolderBlobs) -> frozenset[Digest]:
    """What the manifest lists; nothing where it was altered, which `verify` tells once the run is closed."""
    try:
        listed = read_manifest(blobs.path(manifest).read_bytes())
    except ValueError:
        return frozenset()
    return frozenset(digest for _, _, digest in listed)
