"""Runs as somebody may see them: those of the experiments that they may read."""

from __future__ import annotations

from collections.abc import Sequence

from mlproj.model.access import Level
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
from mlproj.server.permitted.rights import Rights
from mlproj.tracking_ports import TrackedRuns


class PermittedRuns:
    """The `TrackedRuns` of one caller."""

    def __init__(self, inner: TrackedRuns, rights: Rights) -> None:
        self._inner = inner
        self._rights = rights

    def create(self, run: NewRun) -> TrackedRun:
        self._rights.experiment(Level.EDIT, run.experiment_id)
        if run.parent is not None:
            # The new run is recorded with the plan of that one.
            self._rights.run(Level.EDIT, run.parent)
        made = self._inner.create(run)
        self._rights.caller.note("run", made.run_id, changes=True)
        return made

    def get(self, run_id: str) -> TrackedRun:
        self._rights.run(Level.READ, run_id)
        return self._inner.get(run_id)

    def experiment_of(self, run_id: str) -> str:
        self._rights.run(Level.READ, run_id)
        return self._inner.experiment_of(run_id)

    def update(
        self,
        run_id: str,
        *,
        status: RunStatus | None = None,
        ended: int | None = None,
        name: str | None = None,
    ) -> TrackedRun:
        self._rights.run(Level.EDIT, run_id)
        return self._inner.update(run_id, status=status, ended=ended, name=name)

    def set_lifecycle(self, run_id: str, lifecycle: Lifecycle) -> None:
        self._rights.run(Level.MANAGE, run_id)
        self._inner.set_lifecycle(run_id, lifecycle)

    def move(self, run_id: str, experiment_id: str) -> None:
        self._rights.run(Level.EDIT, run_id)
        self._rights.experiment(Level.EDIT, experiment_id)
        self._inner.move(run_id, experiment_id)

    def log(self, run_id: str, batch: Batch) -> None:
        self._rights.run(Level.EDIT, run_id)
        # Such a point is kept with the model, too.
        measured = {metric.model_id for metric in batch.metrics if metric.model_id is not None}
        self._rights.logged_models(Level.EDIT, sorted(measured))
        self._inner.log(run_id, batch)

    def delete_tag(self, run_id: str, key: str) -> None:
        self._rights.run(Level.EDIT, run_id)
        self._inner.delete_tag(run_id, key)

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput], model_ids: Sequence[str] = ()
    ) -> None:
        self._rights.run(Level.EDIT, run_id)
        self._rights.logged_models(Level.READ, model_ids)
        self._inner.log_inputs(run_id, datasets, model_ids)

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput]) -> None:
        self._rights.run(Level.EDIT, run_id)
        # The files of a run's models are kept with the run.
        self._rights.logged_models(Level.READ, [model.model_id for model in models])
        self._inner.log_outputs(run_id, models)

    def history(self, run_id: str, key: str, page: Page | None = None) -> tuple[Sequence[Metric], str | None]:
        self._rights.run(Level.READ, run_id)
        return self._inner.history(run_id, key, page)

    def sampled(
        self,
        run_ids: Sequence[str],
        key: str,
        most: int,
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> Sequence[tuple[str, Metric]]:
        self._rights.runs(Level.READ, run_ids)
        return self._inner.sampled(run_ids, key, most, first=first, last=last)

    def summaries(self, run_id: str) -> Sequence[MetricSummary]:
        self._rights.run(Level.READ, run_id)
        return self._inner.summaries(run_id)

    def search(
        self,
        experiment_ids: Sequence[str],
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        on_top: bool = False,
    ) -> tuple[Sequence[TrackedRun], str | None]:
        own = self._rights.readable(experiment_ids)
        return self._inner.search(own, search, page, lifecycle=lifecycle, on_top=on_top)

    def datasets(self, experiment_ids: Sequence[str]) -> Sequence[tuple[str, str, str, str | None]]:
        return self._inner.datasets(self._rights.readable(experiment_ids))
