"""Runs whose runner ended without a word are closed at the next look, with what is left of them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from mlproj.files import locked_now
from mlproj.logs import gather
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import blobs_of, decode, encode, read_document
from mlproj.model.run import LOGS, LogFile, Outcome, Run, Status, Usage
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import transaction
from mlproj.store.keeping import keep_all
from mlproj.store.machine import Machine
from mlproj.store.place import Place
from mlproj.store.room import LONGEST_NOTE, forget, note, noted, release
from mlproj.store.sealing import seal_owned, seal_run
from mlproj.store.writing import still_open

REASON = "the runner ended without closing the run"
LATER = "the run was closed later, by what its runner noted of how it ended"
_SHORT = "its outputs, and metrics from files, were too many to be noted before it was sealed"


def note_ending(place: Place, run: Run) -> None:
    """Notes how a run ended before it is sealed: whatever comes between, it is closed as what it was."""
    if run.outcome is None:
        return
    text = encode(run.outcome)
    if len(text) > LONGEST_NOTE:
        short = replace(run.outcome, metrics=(), outputs=(), notes=(*run.outcome.notes[:20], _SHORT))
        text = encode(short)
    if len(text) <= LONGEST_NOTE:
        note(place.workspace(run.run_id), text)


def close_dead_runs(place: Place, machine: Machine, clock: Callable[[], str]) -> None:
    """Seals every run that this machine can tell is dead, since nobody holds its lock: as its runner noted
    that it ended, else as KILLED.

    The runs that its script began end with it. A run of another host is left alone, and so is one that a
    client of a server began, which nobody supervises. Of several processes that look at once, one closes it.
    """
    rows = place.connection.execute(
        "SELECT run_id, name, created, supervisor, boot_id, opening FROM runs"
        " WHERE sequence IS NULL AND owner IS NULL AND supervisor IS NOT NULL"
    ).fetchall()
    for run_id, name, created, supervisor, boot_id, opening in rows:
        if not machine.can_judge(supervisor, boot_id):
            continue
        lock = lock_of(place.root, run_id)
        with locked_now(lock) as free:
            if free and still_open(place.connection, run_id):
                _close(place, _as_begun(run_id, name, created, opening), clock())
            if free:
                lock.unlink(missing_ok=True)
                clear_workspace(place.workspace(run_id))


def lock_of(root: Path, run_id: str) -> Path:
    """The file that the supervisor of a run keeps locked while it lives."""
    return root / "locks" / run_id


def clear_workspace(folder: Path) -> None:
    """Removes from a sealed run's folder what its record holds: the logs, and an empty output folder."""
    forget(folder)
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for emptied in (folder / "artifacts", folder):
        with contextlib.suppress(OSError):
            emptied.rmdir()


def _as_begun(run_id: str, name: str, created: str, opening: bytes | None) -> Run:
    try:
        return read_document(opening or b"", name=name)
    except ValueError:
        return Run(run_id=run_id, name=name, created=created, plan=None, job=None)


def _close(place: Place, run: Run, now: str) -> None:
    outcome = _noted(place, run) or _killed(place, run, now)
    closed = replace(run, outcome=outcome, status=outcome.status)
    kept = keep_all(place, run.run_id)
    release(place.workspace(run.run_id))
    seal_owned(place, closed, lambda: now, kept)
    with transaction(place.connection):
        if still_open(place.connection, run.run_id):
            seal_run(place, closed, now, kept)


def _noted(place: Place, run: Run) -> Outcome | None:
    """What the runner noted of the end; None where it did not come so far."""
    try:
        outcome = decode(noted(place.workspace(run.run_id)), Outcome)
    except ValueError:
        return None
    lost = _lost(replace(run, outcome=outcome), place.blobs)
    return replace(outcome, notes=(*outcome.notes, LATER), lost=lost)


def _killed(place: Place, run: Run, now: str) -> Outcome:
    blobs, logs = place.blobs, place.workspace(run.run_id) / "logs"
    return Outcome(
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


def _kept(path: Path, blobs: KeptBlobs) -> LogFile:
    kept = gather(path)
    digest, size = blobs.adopt_file(kept.path)
    return LogFile(name=path.name, digest=digest, size=size, cut=kept.cut, cut_at=kept.cut_at)


def _lost(run: Run, blobs: KeptBlobs) -> tuple[Digest, ...]:
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


def _listed(manifest: Digest, blobs: KeptBlobs) -> frozenset[Digest]:
    """What the manifest lists; nothing where it was altered, which `verify` tells once the run is closed."""
    try:
        listed = read_manifest(blobs.path(manifest).read_bytes())
    except ValueError:
        return frozenset()
    return frozenset(digest for _, _, digest in listed)
