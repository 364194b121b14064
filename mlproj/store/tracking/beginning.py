"""A run that a client begins: with the plan of the run in whose script it is, or on its own."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from mlproj.model.record import read_document, read_import
from mlproj.model.run import Run
from mlproj.model.tracking import NewRun
from mlproj.store.machine import Machine
from mlproj.store.tables import entries, runs
from mlproj.store.tracking.engine import held, raw
from mlproj.store.unshown import inherit_unshown
from mlproj.store.writing import open_run

_NOBODY = Machine(host="", boot_id="")


def begin_run(
    connection: Connection, new: NewRun, *, run_id: str, name: str, experiment: str, created: str
) -> None:
    """The row of a run. One whose parent goes on is owned by it, or by its owner, and is sealed with that."""
    parent, owner = _family(connection, new.parent)
    run = Run(run_id=run_id, name=name, created=created, plan=None, job=None)
    if parent is not None and parent.job is not None:
        job = parent.job.below(parent.run_id, experiment=experiment, user=new.user)
        run = replace(run, plan=parent.plan, job=job)
    open_run(raw(connection), run, _NOBODY, experiment=experiment)
    columns = {
        "user_name": new.user or None if run.job is None else run.job.user,
        "started_ms": new.started,
        "owner": owner,
        "supervisor": None,
        "boot_id": None,
    }
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**columns))
    if parent is not None:
        inherit_unshown(raw(connection), run_id, parent.run_id)


def _family(connection: Connection, parent: str | None) -> tuple[Run | None, str | None]:
    """The run that a new one is begun in, and the one whose script goes on, whose seal is that of the new."""
    if parent is None:
        return None, None
    statement = (
        select(
            runs.c.name, runs.c.opening, runs.c.sequence, runs.c.owner, runs.c.supervisor, entries.c.payload
        )
        .outerjoin(entries, entries.c.sequence == runs.c.sequence)
        .where(runs.c.run_id == parent)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None, None
    run = _read(row.opening if row.sequence is None else row.payload, row.name)
    if row.sequence is not None:
        return run, None
    owner = row.owner or (parent if row.supervisor is not None else None)
    return run, owner if owner is not None and _goes_on(connection, owner) else None


def _goes_on(connection: Connection, owner: str) -> bool:
    """Whether a run is not sealed yet; nor is it, if so, before the transaction ends."""
    statement = select(runs.c.sequence).where(runs.c.run_id == owner)
    row = connection.execute(held(connection, statement, shared=True)).first()
    return row is not None and row.sequence is None


def _read(document: bytes | None, name: str) -> Run | None:
    for reader in (read_document, read_import):
        try:
            return reader(document or b"", name=name)
        except ValueError:
            continue
    return None
