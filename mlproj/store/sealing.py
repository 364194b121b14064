"""A run is sealed with what its script logged, and before it the further runs that the script began."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.events import Progress
from mlproj.model.moment import moment_of
from mlproj.model.notes import unkept
from mlproj.model.record import EntryKind, blobs_of_logged, read_document, seal_document
from mlproj.model.run import LEFT_OPEN, Outcome, Run, Status, Usage
from mlproj.store.connection import Connection
from mlproj.store.database import transaction
from mlproj.store.folders import note_outputs
from mlproj.store.gathering import gather_logged
from mlproj.store.keeping import Kept, Left, keep_beside, keep_outputs, owned_runs
from mlproj.store.place import Place
from mlproj.store.writing import close_run, still_open

_AT_ONCE = 50
ENDED = {status.value: status for status in (Status.FINISHED, Status.FAILED, Status.KILLED)}
"""The statuses that a client ends a run with."""


def seal_run(place: Place, run: Run, time: str, kept: Kept | None = None) -> Run:
    """Appends the record of a run that has an outcome, after those of the runs that it owns; returns it as
    it was sealed. Expects to be in a transaction; `kept` is what was kept of them before it."""
    if not still_open(place.connection, run.run_id):
        raise StoreError(f"the run `{run.run_id}` is sealed already")
    assert run.outcome is not None, "a run that is sealed has ended"
    before = kept or {}
    for owned in owned_runs(place, run.run_id):
        _seal_one(place, owned, time, before, run.outcome)
    beside = before.get(run.run_id)
    if beside is None:
        beside = keep_beside(place, run.run_id)
    return _sealed(place, run, beside, time)


def seal_owned(place: Place, run: Run, clock: Callable[[], str], kept: Kept) -> None:
    """Seals the runs that a run which is about to be sealed owns: a few in each transaction, since there may
    be thousands, and others want to log meanwhile."""
    begun = owned_runs(place, run.run_id)
    for start in range(0, len(begun), _AT_ONCE):
        with transaction(place.connection):
            for owned in begun[start : start + _AT_ONCE]:
                if still_open(place.connection, owned):
                    _seal_one(place, owned, clock(), kept, run.outcome)
        place.report(Progress(stage="seal", done=start + _AT_ONCE, total=len(begun), unit="runs"))


def _seal_one(place: Place, run_id: str, time: str, kept: Kept, ended_with: Outcome | None) -> None:
    left = kept.get(run_id)
    if left is None:
        left = keep_outputs(place, run_id)
    seal_begun(place, run_id, left, time, ended_with=ended_with)


def _sealed(place: Place, run: Run, left: Left, time: str) -> Run:
    assert run.outcome is not None, "a run that is sealed has ended"
    logged = gather_logged(place, run)
    named = () if logged is None else blobs_of_logged(logged)
    lost = {each.digest: each.part for each in named if each.digest not in place.blobs}
    notes = [unkept(left.unkept)] if left.unkept else []
    if lost:
        notes.append(f"{unkept(sorted(lost.values()))} in a file: what was logged is in the database alone")
    outcome = replace(
        run.outcome,
        outputs=(*run.outcome.outputs, *left.outputs),
        logged=logged,
        notes=(*run.outcome.notes, *notes),
        lost=tuple(sorted({*run.outcome.lost, *lost})),
    )
    # The script may have given the run another name.
    (name,) = place.connection.execute("SELECT name FROM runs WHERE run_id = ?", (run.run_id,)).fetchone()
    complete = replace(run, name=name, outcome=outcome)
    link = close_run(place.connection, complete, EntryKind.RUN, seal_document(complete), time)
    note_outputs(place.connection, place.blobs, complete)
    return replace(complete, record=link.digest, sequence=link.sequence)


def stands_open(connection: Connection, run_id: str) -> bool:
    """Whether a run goes on that nobody supervises, and that is in nobody's script: its client's alone."""
    row = connection.execute(
        "SELECT 1 FROM runs WHERE run_id = ? AND sequence IS NULL AND owner IS NULL AND supervisor IS NULL",
        (run_id,),
    ).fetchone()
    return row is not None


def seal_begun(
    place: Place, run_id: str, left: Left, time: str, *, ended_with: Outcome | None = None
) -> None:
    """Seals a run that a client began, with the status that it set, else as the script ended."""
    name, created, opening, started_ms, ended_ms, logged_status = place.connection.execute(
        "SELECT name, created, opening, started_ms, ended_ms, logged_status FROM runs WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    run = _opened(run_id, name, created, opening)
    status = ENDED.get(logged_status)
    last = time if ended_with is None else ended_with.ended
    started = moment_of(started_ms, run.created)
    ended = max(started, moment_of(ended_ms, last) if status is not None else last)
    wall = 0.0 if status is None else max(0, (ended_ms or 0) - (started_ms or 0)) / 1000
    outcome = Outcome(
        status=status or (Status.KILLED if ended_with is None else ended_with.status),
        exit_code=None,
        reason=LEFT_OPEN if status is None else None,
        started=started,
        ended=ended,
        usage=Usage(wall_s=wall, cpu_s=0.0, peak_rss_bytes=0),
    )
    ended_run = replace(run, outcome=outcome, status=outcome.status)
    _sealed(place, ended_run, left, time)


def _opened(run_id: str, name: str, created: str, opening: bytes | None) -> Run:
    try:
        return read_document(opening or b"", name=name)
    except ValueError:
        return Run(run_id=run_id, name=name, created=created, plan=None, job=None)
