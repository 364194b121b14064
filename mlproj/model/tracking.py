"""What a script logs while it runs, in MLflow's terms: experiments, runs, metrics, datasets, logged models.

Times are milliseconds since the epoch, as MLflow has them. The names follow MLflow's REST API 2.0
(`Experiment`, `Run`, `Metric`, `Dataset`, `LoggedModel`).
"""

from __future__ import annotations

from enum import Enum

import msgspec

from mlproj.model.digest import Digest

Pairs = tuple[tuple[str, str], ...]
"""Keys with their values, sorted by key."""


PARENT = "mlflow.parentRunId"
"""MLflow's tag of a run that was begun below another one."""

BEGUN_IN = "mlproj.begun_in"
"""The tag of a run at a configured server that tells in which run's script it was begun, by that one's id
there."""


class Lifecycle(str, Enum):
    """Whether something is listed; `ALL` is only asked for."""

    ACTIVE = "active"
    DELETED = "deleted"


class RunStatus(str, Enum):
    """A run's status on the wire."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which runs are kept. The one of runs that name none has the id `0`."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    created: int
    updated: int
    tags: Pairs = ()


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One point. `value` may be NaN or infinite. `model_id` and the dataset say what was measured on what,
    and of a logged model's metric `run_id` says in which run."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a run: the latest point (the greatest step, then time, then value), and all in sum.

    `minimum` and `maximum` leave NaN out, and are None where there is nothing else.
    """

    latest: Metric
    minimum: float | None
    maximum: float | None
    count: int


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """Data as the script described it; the digest is the script's own word."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetInput(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run read, with tags such as `mlflow.data.context`."""

    dataset: Dataset
    tags: Pairs = ()


class ModelOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a run made, at a step."""

    model_id: str
    step: int = 0


class TrackedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a client sees it. `ended` is None while it goes on; `metrics` are the latest points."""

    run_id: str
    name: str
    experiment_id: str
    user: str
    status: RunStatus
    started: int
    ended: int | None
    artifact_uri: str
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    params: Pairs = ()
    tags: Pairs = ()
    metrics: tuple[Metric, ...] = ()
    inputs: tuple[DatasetInput, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[ModelOutput, ...] = ()


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a client begins: `parent` is the run of ours whose script it is in."""

    experiment_id: str
    name: str
    user: str
    started: int
    tags: Pairs = ()
    parent: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged to a run at once: all of it or nothing."""

    metrics: tuple[Metric, ...] = ()
    params: Pairs = ()
    tags: Pairs = ()


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of MLflow 3. `status` is `PENDING`, `READY` or `FAILED`."""

    model_id: str
    experiment_id: str
    name: str
    artifact_uri: str
    created: int
    updated: int
    status: str
    status_message: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    tags: Pairs = ()
    params: Pairs = ()
    metrics: tuple[Metric, ...] = ()


class ServedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a server holds for a run: below `artifacts/`, or `models/<model id>/`. `digest` is None
    where it was too large to be read for one, or the server would not send it."""

    path: str
    size: int
    digest: Digest | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a long answer: at most `limit` after the one that `token` (opaque) ends with."""

    limit: int
    token: str | None = None
