"""Taking a run's content away: its payloads, its rows and the blobs that nobody else names."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from pathlib import Path

from mlproj.model.digest import Digest, read_manifest
from mlproj.model.moment import seconds_of
from mlproj.model.record import blobs_of
from mlproj.model.run import Run, Status
from mlproj.store.blobs import FolderBlobs
from mlproj.store.database import transaction
from mlproj.store.machine import Machine
from mlproj.store.reading import read_runs
from mlproj.store.references import ids
from mlproj.store.writing import take_away

GRACE_S = 3600.0
"""A blob that somebody wanted so lately is not removed while that somebody's run may not be recorded yet."""


def forget_run(
    connection: sqlite3.Connection,
    root: Path,
    blobs: FolderBlobs,
    run: Run,
    machine: Machine,
    *,
    who: str,
    when: str,
    why: str,
) -> None:
    """Leaves a tombstone in the chain where the sealed `run` was; the chain itself stays whole."""
    sealed = _sealed_at(connection, run.run_id)
    # What is taken away shall not linger in free pages of the file, nor in its journal.
    connection.execute("PRAGMA secure_delete = ON")
    with transaction(connection):
        take_away(connection, run.run_id, who=who, when=when, why=why)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _drop_blobs(connection, blobs, run, sealed, machine)
    shutil.rmtree(root / "runs" / run.run_id, ignore_errors=True)


def _sealed_at(connection: sqlite3.Connection, run_id: str) -> float:
    (sealed,) = connection.execute(
        "SELECT e.time FROM runs r JOIN entries e ON e.sequence = r.sequence WHERE r.run_id = ?", (run_id,)
    ).fetchone()
    return seconds_of(sealed)


def _drop_blobs(
    connection: sqlite3.Connection, blobs: FolderBlobs, run: Run, sealed: float, machine: Machine
) -> None:
    wanted: set[Digest] = set()
    for other in read_runs(connection, ids(connection, "forgotten = 0"), machine):
        if other.job is None and other.imported is None and other.status is not Status.KILLED:
            # A record that cannot be read might name any blob.
            return
        wanted.update(_named_by(other, blobs))
    running = bool(ids(connection, "status = 'RUNNING'"))
    for digest in _named_by(run, blobs):
        if digest in wanted or digest not in blobs:
            continue
        used = blobs.used(digest)
        leased = (running or used > sealed + 1) and time.time() - used < GRACE_S
        if not leased:
            blobs.remove(digest)


def _named_by(run: Run, blobs: FolderBlobs) -> tuple[Digest, ...]:
    """A run's blobs, manifests before what they list, so that a manifest that is there is whole."""
    references = blobs_of(run)
    listed: list[Digest] = []
    for reference in references:
        if reference.manifest and reference.digest in blobs:
            with contextlib.suppress(ValueError):
                manifest = blobs.path(reference.digest).read_bytes()
                listed += [digest for _, _, digest in read_manifest(manifest)]
    return (*(reference.digest for reference in references), *listed)
