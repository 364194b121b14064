"""A run that was made elsewhere is written into the tables and sealed, as one that ended here would be."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, select, update

from mlproj.errors import UsageError
from mlproj.model.digest import Digest
from mlproj.model.logged import LoggedModelUse
from mlproj.model.moment import moment_of
from mlproj.model.notes import unkept
from mlproj.model.record import EntryKind, seal_document
from mlproj.model.run import Imported, Outcome, Run, Status, Usage
from mlproj.model.tracking import Lifecycle, Metric, TrackedRun
from mlproj.store.folders import note_outputs
from mlproj.store.gathering import gather_logged
from mlproj.store.keeping import Left
from mlproj.store.machine import Machine
from mlproj.store.place import Place
from mlproj.store.sealing import ENDED
from mlproj.store.tables import experiments, runs
from mlproj.store.tracking.datasets import add_datasets, add_models
from mlproj.store.tracking.engine import raw
from mlproj.store.tracking.metrics import add_points, refuse_unstorable
from mlproj.store.tracking.params import add_params, add_tags
from mlproj.store.tracking.run_rows import NAME_TAG
from mlproj.store.writing import close_run, open_run

_ELSEWHERE = Machine(host="", boot_id="")
"""Who supervised an arriving run: nobody here. But its files are where those of our own runs are."""
_AT_ONCE = 5000
"""So many points are added in one go."""


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """A run on its way in: what it was there, where from, its document, and its files here."""

    run: TrackedRun
    origin: str
    document: Digest
    left: Left

    def begun(self, now: str) -> Run:
        """The run as one that has ended, so far without what was logged."""
        run = self.run
        status = ENDED.get(run.status.value, Status.UNKNOWN)
        started = moment_of(run.started, now)
        endless = run.ended is None or status is Status.UNKNOWN
        ended = now if endless else moment_of(run.ended, now)
        outcome = Outcome(
            status=status,
            exit_code=None,
            started=started,
            ended=ended,
            usage=Usage(
                wall_s=0.0 if endless else max(0, (run.ended or 0) - run.started) / 1000,
                cpu_s=0.0,
                peak_rss_bytes=0,
            ),
            outputs=self.left.outputs,
            notes=(unkept(self.left.unkept),) if self.left.unkept else (),
        )
        return Run(
            run_id=run.run_id,
            name=run.name,
            created=started,
            plan=None,
            job=None,
            outcome=outcome,
            status=status,
            imported=Imported(
                origin=self.origin, document=self.document, status=run.status.value if endless else None
            ),
        )


def seal_arriving(
    connection: Connection,
    place: Place,
    arriving: Arriving,
    points: Iterable[Metric],
    *,
    now: str,
    under: int,
) -> None:
    """Writes the run under the experiment `under`, and appends its record. Expects to be in a transaction."""
    begun, there = arriving.begun(now), arriving.run
    statement = select(experiments.c.name).where(experiments.c.id == under)
    try:
        open_run(
            raw(connection),
            begun,
            _ELSEWHERE,
            experiment=connection.execute(statement).scalar_one(),
            into_deleted=True,
        )
        row = update(runs).where(runs.c.run_id == there.run_id)
        connection.execute(row.values(user_name=there.user or None))
        _fill(connection, there, points, under)
        assert begun.outcome is not None, "what arrives has an outcome"
        whole = replace(begun, outcome=replace(begun.outcome, logged=gather_logged(place, begun)))
        close_run(raw(connection), whole, EntryKind.IMPORT, seal_document(whole), now)
    except ValueError as error:
        raise UsageError(f"the run `{there.run_id}` cannot be recorded: {error}") from error
    note_outputs(raw(connection), place.blobs, whole)
    if there.lifecycle is Lifecycle.DELETED:
        connection.execute(row.values(deleted=True, hidden_at=now))


def _fill(connection: Connection, run: TrackedRun, points: Iterable[Metric], under: int) -> None:
    """Everything that was logged to the run."""
    number = connection.execute(select(runs.c.number).where(runs.c.run_id == run.run_id)).scalar_one()
    add_params(connection, run.run_id, run.params)
    add_tags(connection, run.run_id, {key: value for key, value in run.tags if key != NAME_TAG})
    rest = iter(points)
    while some := tuple(itertools.islice(rest, _AT_ONCE)):
        refuse_unstorable(some)
        add_points(connection, number, run.run_id, some)
    add_datasets(connection, run.run_id, under, run.inputs)
    read = [LoggedModelUse(model_id=model_id, direction="input") for model_id in run.model_inputs]
    made = [
        LoggedModelUse(model_id=model.model_id, direction="output", step=model.step)
        for model in run.model_outputs
    ]
    add_models(connection, run.run_id, (*read, *made))
