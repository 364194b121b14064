"""The seams of tracking and registry, beside those of a run in `ports`: what MLflow needs of a store.

All of them raise NotFound for what is not there, AlreadyThere for a name that is taken, UsageError for what
cannot be meant, and StoreError where the store cannot be written to. What was answered is written.
Searches give a page and the token of the next one, None after the last. Where they take `within`, nothing
is found but what is among these: experiments by their ids, registered models by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mlproj.model.registry import NOBODY, By, ModelVersion, RecordedChange, RegisteredModel, Stage
from mlproj.model.rules import Check, Sees, sees_all
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


class Registry(Protocol):
    """Registered models and their versions. What changes which there are, where they stand and what they are
    called is a link of the chain, with who did it and why."""

    def create(
        self, name: str, *, description: str = "", tags: Pairs = (), by: By = NOBODY
    ) -> RegisteredModel: ...

    def get(self, name: str) -> RegisteredModel: ...

    def rename(self, name: str, new: str, *, by: By = NOBODY) -> RegisteredModel: ...

    def describe(self, name: str, description: str) -> RegisteredModel: ...

    def delete(self, name: str, *, by: By = NOBODY) -> None: ...

    def history(self, name: str) -> Sequence[RecordedChange]:
        """What was done to the model that has that name, or had it last, the oldest first."""
        ...

    def rules(self, name: str) -> str | None:
        """The text of the rules that have to hold of what is put into Production, if there are any."""
        ...

    def set_rules(self, name: str, text: str | None, *, by: By = NOBODY) -> None: ...

    def search(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[RegisteredModel], str | None]: ...

    def set_tag(self, name: str, key: str, value: str) -> None: ...

    def delete_tag(self, name: str, key: str) -> None: ...

    def set_alias(self, name: str, alias: str, version: int, *, by: By = NOBODY) -> None: ...

    def delete_alias(self, name: str, alias: str, *, by: By = NOBODY) -> None: ...

    def aliased(self, name: str, alias: str) -> ModelVersion: ...

    def create_version(
        self,
        name: str,
        *,
        source: str,
        run_id: str | None = None,
        run_link: str | None = None,
        model_id: str | None = None,
        description: str = "",
        tags: Pairs = (),
        by: By = NOBODY,
    ) -> ModelVersion: ...

    def version(self, name: str, version: int) -> ModelVersion: ...

    def describe_version(self, name: str, version: int, description: str) -> ModelVersion: ...

    def transition(
        self,
        name: str,
        version: int,
        stage: Stage,
        *,
        archive_existing: bool,
        further: str | None = None,
        sees: Sees = sees_all,
        by: By = NOBODY,
    ) -> ModelVersion:
        """Into Production the rules that are kept with the model have to let it, and the `further` ones, as
        far as somebody can tell who `sees` some runs. Raises NotPromoted where they do not; how each fared is
        on the record either way."""
        ...

    def checks(
        self, name: str, version: int, *, further: str | None = None, sees: Sees = sees_all
    ) -> Sequence[Check]:
        """How each of these rules fares now."""
        ...

    def delete_version(self, name: str, version: int, *, by: By = NOBODY) -> None: ...

    def set_version_tag(self, name: str, version: int, key: str, value: str) -> None: ...

    def delete_version_tag(self, name: str, version: int, key: str) -> None: ...

    def latest(self, name: str, stages: Sequence[Stage]) -> Sequence[ModelVersion]:
        """The newest version of each of these stages, of all where none is named."""
        ...

    def search_versions(
        self, search: Search, page: Page, *, within: Collection[str] | None = None
    ) -> tuple[Sequence[ModelVersion], str | None]: ...


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


class Artifacts(Protocol):
    """Files below a root that nothing leads out of: no `..`, no absolute path, no link, no NUL.

    Paths are relative, with `/` between their parts. Raises UsageError for one that leads out.
    """

    @property
    def uploads(self) -> Uploads: ...

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        """Path, whether it is a folder, and size in bytes of what a folder holds, sorted by path."""
        ...

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """What is in a file from its byte `first` on, to its end where no `count` is asked for."""
        ...

    def size(self, path: str) -> int: ...

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        """Puts a file in place whole, or, where the pieces end in an exception, not at all."""
        ...

    def delete(self, path: str) -> None:
        """A file, or a folder with all that is in it."""
        ...

    def reach(self) -> None:
        """Looks at the place where files are kept. Raises StoreError where it is away."""
        ...


class Uploads(Protocol):
    """Artifacts that arrive in parts, each of which is known by a tag that tells its content.

    Raises NotFound for an upload that is not there, or that is of another path.
    """

    def begin(self, path: str, parts: int) -> str:
        """The id of a new upload of an artifact, whose parts are counted from 1."""
        ...

    def add(self, path: str, upload: str, part: int, pieces: Iterator[bytes]) -> str:
        """Keeps a part, whole or not at all; its tag. One that comes again does no harm."""
        ...

    def complete(self, path: str, upload: str, parts: Sequence[tuple[int, str]]) -> None:
        """Puts the whole in place: every part by number and tag, in order. Raises UsageError where one is not
        there as it is named; the upload goes on then."""
        ...

    def abort(self, path: str, upload: str) -> None:
        """Removes what has arrived."""
        ...


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

    def fetch(self, address: str, folder: Path) -> Path:
        """Brings what is at an `mlflow-artifacts:` address into `folder`. Raises DataError."""
        ...

    def files(self, run: TrackedRun, *, most: int, altogether: int) -> Iterator[ServedFile]:
        """All that the server holds for the run. What is larger than `most` bytes, or beyond `altogether` in
        sum, is not read for its digest."""
        ...
