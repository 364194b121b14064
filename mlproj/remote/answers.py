"""What a server answers, read into nouns. Servers of other makes than MLflow's spell numbers as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from mlproj.errors import StoreError
from mlproj.model.tracking import (
    Dataset,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    ModelOutput,
    Pairs,
    RunStatus,
    TrackedRun,
)

RUN_NAME = "mlflow.runName"

T = TypeVar("T")


class Pair(msgspec.Struct, frozen=True):
    key: str
    value: str = ""


class _Point(msgspec.Struct, frozen=True):
    key: str
    value: float = 0.0
    timestamp: int = 0
    step: int = 0


class _Info(msgspec.Struct, frozen=True):
    run_id: str = ""
    run_uuid: str = ""
    run_name: str = ""
    experiment_id: str = ""
    user_id: str = ""
    status: str | int = "RUNNING"
    start_time: int = 0
    end_time: int | None = None
    artifact_uri: str = ""
    lifecycle_stage: str = "active"

    @property
    def id(self) -> str:
        return self.run_id or self.run_uuid


class _Data(msgspec.Struct, frozen=True):
    metrics: tuple[_Point, ...] = ()
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class _Dataset(msgspec.Struct, frozen=True):
    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class _Read(msgspec.Struct, frozen=True):
    dataset: _Dataset
    tags: tuple[Pair, ...] = ()


class _Model(msgspec.Struct, frozen=True):
    model_id: str
    step: int = 0


class _Inputs(msgspec.Struct, frozen=True):
    dataset_inputs: tuple[_Read, ...] = ()
    model_inputs: tuple[_Model, ...] = ()


class _Outputs(msgspec.Struct, frozen=True):
    model_outputs: tuple[_Model, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    info: _Info
    data: _Data = _Data()
    inputs: _Inputs = _Inputs()
    outputs: _Outputs = _Outputs()


class OneRun(msgspec.Struct, frozen=True):
    run: _Run


class _Experiment(msgspec.Struct, frozen=True):
    experiment_id: str
    name: str = ""
    artifact_location: str = ""
    lifecycle_stage: str = "active"
    creation_time: int = 0
    last_update_time: int = 0
    tags: tuple[Pair, ...] = ()


class OneExperiment(msgspec.Struct, frozen=True):
    experiment: _Experiment


class Experiments(msgspec.Struct, frozen=True):
    experiments: tuple[_Experiment, ...] = ()
    next_page_token: str | None = None


class Runs(msgspec.Struct, frozen=True):
    runs: tuple[_Run, ...] = ()
    next_page_token: str | None = None


class NewExperiment(msgspec.Struct, frozen=True):
    experiment_id: str


class Points(msgspec.Struct, frozen=True):
    metrics: tuple[_Point, ...] = ()
    next_page_token: str | None = None


class ListedFile(msgspec.Struct, frozen=True):
    path: str
    is_dir: bool = False
    file_size: int = 0


class Files(msgspec.Struct, frozen=True):
    files: tuple[ListedFile, ...] = ()
    next_page_token: str | None = None


class ModelInfo(msgspec.Struct, frozen=True):
    model_id: str = ""
    artifact_uri: str = ""
    name: str = ""


class _LoggedModel(msgspec.Struct, frozen=True):
    info: ModelInfo


class OneModel(msgspec.Struct, frozen=True):
    model: _LoggedModel


def read_answer(answer: Any, kind: type[T]) -> T:
    """Raises StoreError where the answer is none of that kind."""
    try:
        return msgspec.convert(answer, kind, strict=False)
    except msgspec.ValidationError as error:
        raise StoreError(f"the tracking server answers what nobody expects: {error}") from error


def experiment_of(answer: Any) -> Experiment:
    return told_experiment(read_answer(answer, OneExperiment).experiment)


def told_experiment(found: _Experiment) -> Experiment:
    return Experiment(
        experiment_id=found.experiment_id,
        name=found.name,
        artifact_location=found.artifact_location,
        lifecycle=_lifecycle(found.lifecycle_stage),
        created=found.creation_time,
        updated=found.last_update_time,
        tags=pairs(found.tags),
    )


def run_of(answer: Any) -> TrackedRun:
    return told_run(read_answer(answer, OneRun).run)


def told_run(found: _Run) -> TrackedRun:
    info, tags = found.info, pairs(found.data.tags)
    return TrackedRun(
        run_id=info.id,
        name=info.run_name or dict(tags).get(RUN_NAME, ""),
        experiment_id=info.experiment_id,
        user=info.user_id,
        status=_status(info.status),
        started=info.start_time,
        ended=info.end_time,
        artifact_uri=info.artifact_uri,
        lifecycle=_lifecycle(info.lifecycle_stage),
        params=pairs(found.data.params),
        tags=tags,
        metrics=points(found.data.metrics),
        inputs=tuple(map(_read, found.inputs.dataset_inputs)),
        model_inputs=tuple(model.model_id for model in found.inputs.model_inputs),
        model_outputs=tuple(
            ModelOutput(model_id=model.model_id, step=model.step) for model in found.outputs.model_outputs
        ),
    )


def points(found: Iterable[_Point]) -> tuple[Metric, ...]:
    return tuple(
        Metric(key=point.key, value=point.value, timestamp=point.timestamp, step=point.step)
        for point in found
    )


def pairs(found: Iterable[Pair]) -> Pairs:
    return tuple(sorted((pair.key, pair.value) for pair in found))


def _read(found: _Read) -> DatasetInput:
    data = found.dataset
    return DatasetInput(
        dataset=Dataset(
            name=data.name,
            digest=data.digest,
            source_type=data.source_type,
            source=data.source,
            schema=data.schema,
            profile=data.profile,
        ),
        tags=pairs(found.tags),
    )


def _status(found: str | int) -> RunStatus:
    """A status by its name, or by its number in MLflow's protocol."""
    numbered = dict(zip(("1", "2", "3", "4", "5"), RunStatus, strict=True))
    try:
        return numbered.get(str(found)) or RunStatus(found)
    except ValueError:
        return RunStatus.RUNNING


def _lifecycle(found: str) -> Lifecycle:
    return Lifecycle.DELETED if found == "deleted" else Lifecycle.ACTIVE
