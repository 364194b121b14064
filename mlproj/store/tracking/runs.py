"""Runs as clients write and read them: to the tables while they go on, and as amendments after the seal."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, update

from mlproj.errors import NotFound, UsageError
from mlproj.model.logged import LoggedModelUse
from mlproj.model.moment import LAST_MOMENT
from mlproj.model.names import run_name
from mlproj.model.search import Search
from mlproj.model.tracking import (
    Batch,
    DatasetInput,
    Lifecycle,
    Metric,
    MetricSummary,
    ModelOutput,
    NewRun,
    Page,
    RunStatus,
    TrackedRun,
)
from mlproj.store.keeping import Left, keep_outputs
from mlproj.store.place import Place
from mlproj.store.sealing import ENDED, seal_begun
from mlproj.store.tables import runs
from mlproj.store.tracking.amending import amend, amend_dataset, amend_model, amend_points
from mlproj.store.tracking.beginning import begin_run
from mlproj.store.tracking.datasets import add_datasets, add_models, datasets_in
from mlproj.store.tracking.engine import Database, raw, storable
from mlproj.store.tracking.experiments import active_experiment, experiment_numbers, runs_uri
from mlproj.store.tracking.metrics import (
    add_model_points,
    add_points,
    history_of,
    refuse_unstorable,
    sample_of,
    summaries_of,
)
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.params import add_params, add_tags, remove_tag
from mlproj.store.tracking.run_rows import (
    NAME_TAG,
    RUNS,
    any_run,
    experiment_of_run,
    listed,
    on_top_of,
    run_columns,
    run_row,
    tracked,
    with_names,
    written_run,
)


class StoredRuns:
    """The `TrackedRuns` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._root_uri = runs_uri(database.root)
        self._columns = run_columns(self._root_uri)

    def create(self, run: NewRun) -> TrackedRun:
        run_id = uuid.uuid4().hex
        tags = dict(run.tags)
        name = run.name or tags.pop(NAME_TAG, "") or run_name(run_id)
        tags.pop(NAME_TAG, None)
        storable(name, run.user)
        _refuse_impossible(run.started)
        with self._database.writing() as connection:
            experiment = active_experiment(connection, run.experiment_id)
            begin_run(
                connection,
                run,
                run_id=run_id,
                name=name,
                experiment=experiment.name,
                created=self._database.now(),
            )
            if tags:
                add_tags(connection, run_id, tags)
            return self._tracked(connection, run_id)

    def get(self, run_id: str) -> TrackedRun:
        with self._database.reading() as connection:
            return self._tracked(connection, run_id)

    def experiment_of(self, run_id: str) -> str:
        with self._database.reading() as connection:
            return experiment_of_run(connection, run_id)

    def update(
        self,
        run_id: str,
        *,
        status: RunStatus | None = None,
        ended: int | None = None,
        name: str | None = None,
    ) -> TrackedRun:
        storable(name)
        _refuse_impossible(ended)
        left = Left()
        if status is not None and status.value in ENDED:
            with self._database.reading() as connection:
                if _stands_alone(run_row(connection, run_id)):
                    left = keep_outputs(self._place(connection), run_id)
        with self._database.writing() as connection:
            row = written_run(connection, run_id)
            if name:
                self._rename(connection, run_id, row, name)
            self._set_status(connection, run_id, row, status, ended)
            whole = run_row(connection, run_id)
            if status is not None and status.value in ENDED and _stands_alone(whole):
                seal_begun(self._place(connection), run_id, left, self._database.now())
            return self._tracked(connection, run_id)

    def set_lifecycle(self, run_id: str, lifecycle: Lifecycle) -> None:
        deleted = lifecycle is Lifecycle.DELETED
        with self._database.writing() as connection:
            row = any_run(connection, run_id)
            if bool(row.deleted) != deleted:
                since = self._database.now() if deleted else None
                self._change(connection, row, deleted=deleted, hidden_at=since)

    def move(self, run_id: str, experiment_id: str) -> None:
        with self._database.writing() as connection:
            row = written_run(connection, run_id)
            experiment = active_experiment(connection, experiment_id)
            if row.experiment_id == experiment.id:
                return
            if row.sequence is not None:
                raise UsageError(f"the run {run_id} has ended, and stays in its experiment")
            self._change(connection, row, experiment_id=experiment.id)

    def log(self, run_id: str, batch: Batch) -> None:
        refuse_unstorable(batch.metrics)
        with self._database.writing() as connection:
            row = written_run(connection, run_id)
            late = row.sequence is not None
            if batch.params:
                new = add_params(connection, run_id, batch.params)
                for key, value in new if late else ():
                    self._amend(connection, run_id, "param", {"key": key, "value": value})
            if batch.metrics:
                points = add_points(connection, row.number, run_id, batch.metrics)
                add_model_points(connection, run_id, batch.metrics)
                if late:
                    amend_points(connection, self._database.now(), run_id, points)
            if batch.tags:
                self._tag(connection, run_id, row, dict(batch.tags))

    def delete_tag(self, run_id: str, key: str) -> None:
        with self._database.writing() as connection:
            row = written_run(connection, run_id)
            if key == NAME_TAG:
                return  # every run has a name
            if not remove_tag(connection, run_id, key):
                raise NotFound(f"No tag with name: {key} in run with id {run_id}")
            if row.sequence is not None:
                self._amend(connection, run_id, "untag", {"key": key})

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput], model_ids: Sequence[str] = ()
    ) -> None:
        with self._database.writing() as connection:
            row = written_run(connection, run_id)
            added = add_datasets(connection, run_id, row.experiment_id, datasets)
            for item in added if row.sequence is not None else ():
                amend_dataset(connection, self._database.now(), run_id, item)
            uses = [LoggedModelUse(model_id=model_id, direction="input") for model_id in model_ids]
            self._use(connection, run_id, row, uses)

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput]) -> None:
        uses = [
            LoggedModelUse(model_id=model.model_id, direction="output", step=model.step) for model in models
        ]
        with self._database.writing() as connection:
            self._use(connection, run_id, written_run(connection, run_id), uses)

    def history(self, run_id: str, key: str, page: Page | None = None) -> tuple[Sequence[Metric], str | None]:
        with self._database.reading() as connection:
            return history_of(connection, run_row(connection, run_id).number, key, page)

    def sampled(
        self,
        run_ids: Sequence[str],
        key: str,
        most: int,
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> Sequence[tuple[str, Metric]]:
        with self._database.reading() as connection:
            numbers = [(run_id, run_row(connection, run_id).number) for run_id in run_ids]
            return [
                (run_id, metric)
                for run_id, number in numbers
                for metric in sample_of(connection, number, key, most, first, last)
            ]

    def summaries(self, run_id: str) -> Sequence[MetricSummary]:
        with self._database.reading() as connection:
            run_row(connection, run_id)
            return summaries_of(connection, run_id)

    def search(
        self,
        experiment_ids: Sequence[str],
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        on_top: bool = False,
    ) -> tuple[Sequence[TrackedRun], str | None]:
        numbers = experiment_numbers(experiment_ids)
        statement = RUNS.where(*listed(runs, numbers, lifecycle))
        if on_top:
            statement = statement.where(on_top_of(numbers, lifecycle))
        with self._database.reading() as connection:
            rows, token = found(connection, statement, with_names(search), self._columns, page)
            return tracked(connection, rows, self._root_uri), token

    def datasets(self, experiment_ids: Sequence[str]) -> Sequence[tuple[str, str, str, str | None]]:
        with self._database.reading() as connection:
            return datasets_in(connection, experiment_numbers(experiment_ids))

    def _place(self, connection: Connection) -> Place:
        database = self._database
        return Place(connection=raw(connection), root=database.root, blobs=database.blobs)

    def _tracked(self, connection: Connection, run_id: str) -> TrackedRun:
        (run,) = tracked(connection, [run_row(connection, run_id)], self._root_uri)
        return run

    def _tag(self, connection: Connection, run_id: str, row: Any, tags: dict[str, str]) -> None:
        name = tags.pop(NAME_TAG, None)
        if name:
            self._rename(connection, run_id, row, name)
        changed = add_tags(connection, run_id, tags) if tags else {}
        for key, value in changed.items() if row.sequence is not None else ():
            self._amend(connection, run_id, "tag", {"key": key, "value": value})

    def _use(self, connection: Connection, run_id: str, row: Any, uses: Sequence[LoggedModelUse]) -> None:
        added = add_models(connection, run_id, uses)
        for use in added if row.sequence is not None else ():
            amend_model(connection, self._database.now(), run_id, use)

    def _rename(self, connection: Connection, run_id: str, row: Any, name: str) -> None:
        storable(name)
        if name == row.name:
            return
        self._change(connection, row, name=name)
        if row.sequence is not None:
            self._amend(connection, run_id, "name", {"name": name})

    def _set_status(
        self, connection: Connection, run_id: str, row: Any, status: RunStatus | None, ended: int | None
    ) -> None:
        seen = run_row(connection, run_id)
        changed: dict[str, Any] = {}
        if status is not None and status.value != seen.seen_status:
            changed["logged_status"] = status.value
        if ended is not None and ended != seen.ended_ms:
            changed["ended_ms"] = ended
        if not changed:
            return
        self._change(connection, row, **changed)
        if row.sequence is not None:
            names = {"logged_status": "status", "ended_ms": "ended"}
            content = {names[column]: str(value) for column, value in changed.items()}
            self._amend(connection, run_id, "status", content)

    def _change(self, connection: Connection, row: Any, **columns: Any) -> None:
        connection.execute(update(runs).where(runs.c.number == row.number).values(**columns))

    def _amend(self, connection: Connection, run_id: str, kind: str, content: dict[str, str]) -> None:
        amend(connection, self._database.now(), run_id, kind, content)


def _stands_alone(row: Any) -> bool:
    """Whether the run is sealed when its client ends it: nobody supervises it, or the script it is in."""
    return row.sequence is None and row.owner is None and row.supervisor is None


def _refuse_impossible(moment: int | None) -> None:
    if moment is not None and not 0 <= moment <= LAST_MOMENT:
        raise UsageError(f"{moment} is no time in milliseconds since the epoch")
