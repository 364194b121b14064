"""The seams of tracking, beside those of a run in `ports`: what MLflow needs of a store.

All of them, and those in `registry_ports` and `artifact_ports`, raise NotFound for what is not there,
AlreadyThere for a name that is taken, UsageError for what cannot be meant, and StoreError where the store
cannot be written to. What was answered is written. Searches give a page and the token of the next one, None
after the last. Where they take `within`, nothing is found but what is among these: experiments by their ids,
registered models by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mlproj.model.search import Search
from mlproj.model.tracking import (
    Batch,
    DatasetInput,
    Experiment,
    Lifecycle,
    LoggedModel,
    Metric,
    MetricSummary,
    ModelOutput,
    NewRun,
    Page,
    Pairs,
    RunStatus,
    ServedFile,
    TrackedRun,
)
from mlproj.registry_ports import Registry


class Experiments(Protocol):
    """Names under which runs are kept."""

    def create(self, name: str, *, artifact_location: str | None = None, tags: Pairs = ()) -> Experiment: ...

    def get(self, experiment_id: str) -> Experiment: ...

    def named(self, name: str) -> Experiment:
        """Deleted ones too: their names stay taken."""
        ...

    def rename(self, experiment_id: str, name: str) -> None: ...

    def set_lifecycle(self, experiment_id: str, lifecycle: Lifecycle) -> None:
        """Deletes an experiment with its runs, or brings both back."""
        ...

    def set_tag(self, experiment_id: str, key: str, value: str) -> None: ...

    def delete_tag(self, experiment_id: str, key: str) -> None: ...

    def search(
        self,
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        within: Collection[str] | None = None,
    ) -> tuple[Sequence[Experiment], str | None]:
        """The newest first where the search does not say; `lifecycle` None means all."""
        ...


class TrackedRuns(Protocol):
    """Runs as clients read and write them.

    A run whose process goes on takes everything. After its seal, metrics, new params, tags, inputs and a
    status are kept as amendments, each a link of the chain.
    """

    def create(self, run: NewRun) -> TrackedRun: ...

    def get(self, run_id: str) -> TrackedRun: ...

    def experiment_of(self, run_id: str) -> str:
        """The id of the experiment that the run is under now."""
        ...

    def update(
        self,
        run_id: str,
        *,
        status: RunStatus | None = None,
        ended: int | None = None,
        name: str | None = None,
    ) -> TrackedRun: ...

    def set_lifecycle(self, run_id: str, lifecycle: Lifecycle) -> None: ...

    def move(self, run_id: str, experiment_id: str) -> None:
        """Puts a run that goes on under another experiment."""
        ...

    def log(self, run_id: str, batch: Batch) -> None:
        """Raises UsageError where a param has another value already: params do not change."""
        ...

    def delete_tag(self, run_id: str, key: str) -> None: ...

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput], model_ids: Sequence[str] = ()
    ) -> None: ...

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput]) -> None: ...

    def history(self, run_id: str, key: str, page: Page | None = None) -> tuple[Sequence[Metric], str | None]:
        """Every point of a metric, by step, time and value; all at once where no page is asked for."""
        ...

    def sampled(
        self,
        run_ids: Sequence[str],
        key: str,
        most: int,
        *,
        first: int | None = None,
        last: int | None = None,
    ) -> Sequence[tuple[str, Metric]]:
        """At most `most` points per run, evenly spread over its steps from `first` to `last`, the first and
        the last point among them."""
        ...

    def summaries(self, run_id: str) -> Sequence[MetricSummary]: ...

    def search(
        self,
        experiment_ids: Sequence[str],
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        on_top: bool = False,
    ) -> tuple[Sequence[TrackedRun], str | None]:
        """The runs of these experiments that fit, the one that started last first where nothing is said. With
        `on_top`, those alone that were begun below none that could be found here."""
        ...

    def datasets(self, experiment_ids: Sequence[str]) -> Sequence[tuple[str, str, str, str | None]]:
        """Experiment, name, digest and context of each dataset that runs of these experiments read."""
        ...


class LoggedModels(Protocol):
    """Models as MLflow 3 logs them: things of their own, made by a run."""

    def create(
        self,
        experiment_id: str,
        *,
        name: str | None,
        model_type: str | None = None,
        source_run_id: str | None = None,
        params: Pairs = (),
        tags: Pairs = (),
    ) -> LoggedModel: ...

    def get(self, model_id: str) -> LoggedModel: ...

    def experiment_of(self, model_id: str) -> str:
        """The id of its experiment; of a deleted one too."""
        ...

    def finalize(self, model_id: str, status: str) -> LoggedModel: ...

    def delete(self, model_id: str) -> None: ...

    def log_params(self, model_id: str, params: Pairs) -> None: ...

    def set_tags(self, model_id: str, tags: Pairs) -> LoggedModel: ...

    def delete_tag(self, model_id: str, key: str) -> None: ...

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[LoggedModel], str | None]: ...


class Traces(Protocol):
    """Traces, kept as the documents they came in.

    What is added to a trace that is there already changes it. With `within` that raises AlreadyThere where it
    is in another experiment than one of these.
    """

    def add(
        self,
        trace_id: str,
        experiment_id: str,
        info: bytes,
        spans: bytes | None = None,
        *,
        within: Collection[str] | None = None,
    ) -> None: ...

    def add_spans(
        self, trace_id: str, experiment_id: str, spans: bytes, *, within: Collection[str] | None = None
    ) -> None: ...

    def update(self, trace_id: str, change: Callable[[bytes], bytes]) -> bytes:
        """Puts what `change` makes of the info in its place, with nobody writing between; the new info."""
        ...

    def get(self, trace_id: str) -> tuple[bytes, bytes | None]:
        """The trace's info and its spans, each JSON."""
        ...

    def experiment_of(self, trace_id: str) -> str:
        """The id of the experiment that the trace is in."""
        ...

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[bytes], str | None]: ...

    def set_tag(self, trace_id: str, key: str, value: str) -> None: ...

    def delete_tag(self, trace_id: str, key: str) -> None: ...

    def delete(self, experiment_id: str, trace_ids: Sequence[str]) -> int: ...


class Tracking(Protocol):
    """All of it, over one store."""

    @property
    def experiments(self) -> Experiments: ...

    @property
    def runs(self) -> TrackedRuns: ...

    @property
    def models(self) -> LoggedModels: ...

    @property
    def registry(self) -> Registry: ...

    @property
    def traces(self) -> Traces: ...

    def close(self) -> None: ...


class Server(Protocol):
    """A tracking server that somebody keeps, of MLflow's make or another, which we are a client of.

    Raises StoreError where it does not answer or does not let us in.
    """

    def experiment(self, *, name: str | None = None, experiment_id: str | None = None) -> Experiment:
        """By the one or the other; deleted ones too."""
        ...

    def create_experiment(self, name: str) -> str:
        """Its id."""
        ...

    def create_run(self, new: NewRun) -> TrackedRun: ...

    def run(self, run_id: str) -> TrackedRun: ...

    def log(
        self, run_id: str, *, params: Pairs = (), tags: Pairs = (), metrics: Sequence[Metric] = ()
    ) -> None: ...

    def update(self, run_id: str, *, status: RunStatus, ended: int | None = None) -> None: ...

    def begun_in(self, run_id: str, *, apart: str) -> Iterator[TrackedRun]:
        """The runs that say by a tag that this one's script began them, and those below them; without those
        that have the tag `apart`, and what is below these."""
        ...

    def history(self, run_id: str, key: str) -> Iterator[Metric]: ...

    def address(self, uri: str) -> str:
        """Where the artifact is that a `runs:/<id>/<path>` names; any other address stays as it is."""
        ...

    def pinned(self, uri: str) -> str:
        """A `models:/…` with the number of the version that a stage, an alias or a name stands for now.
        Raises NotFound, and UsageError for what names no model."""
        ...

    def fetch(self, address: str, folder: Path) -> Path:
        """Brings what is at an `mlflow-artifacts:` address into `folder`. Raises DataError."""
        ...

    def files(self, run: TrackedRun, *, most: int, altogether: int) -> Iterator[ServedFile]:
        """All that the server holds for the run. What is larger than `most` bytes, or beyond `altogether` in
        sum, is not read for its digest."""
        ...
