"""Runs on the wire, with what is logged to them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlproj.model.tracking import Dataset, DatasetInput, TrackedRun
from mlproj.server.wire.values import (
    Answer,
    EnumValue,
    Int32,
    Int64,
    Named,
    Pair,
    Point,
    Request,
    ToldMetric,
    ToldPair,
    pairs,
    told_metric,
    told_pairs,
)


class CreateRun(Request, frozen=True, kw_only=True):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: tuple[Pair, ...] = ()


class RunRequest(Request, frozen=True, kw_only=True):
    """A request about one run; old clients say `run_uuid`."""

    run_id: str = ""
    run_uuid: str = ""


class UpdateRun(RunRequest, frozen=True, kw_only=True):
    status: EnumValue | None = None
    end_time: Int64 | None = None
    run_name: str | None = None


class MoveRun(RunRequest, frozen=True, kw_only=True):
    """Ours: MLflow cannot move a run."""

    experiment_id: Named


class LogMetric(RunRequest, frozen=True, kw_only=True):
    key: Named
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogParam(RunRequest, frozen=True, kw_only=True):
    key: Named
    value: str = ""


class SetTag(RunRequest, frozen=True, kw_only=True):
    key: Named
    value: str = ""


class DeleteTag(RunRequest, frozen=True, kw_only=True):
    key: Named


class LogBatch(RunRequest, frozen=True, kw_only=True):
    metrics: tuple[Point, ...] = ()
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class LogModel(RunRequest, frozen=True, kw_only=True):
    model_json: Named


class GivenDataset(Request, frozen=True, kw_only=True):
    name: Named
    digest: Named
    source_type: Named
    source: Named
    schema: str | None = None
    profile: str | None = None


class GivenDatasetInput(Request, frozen=True, kw_only=True):
    dataset: GivenDataset
    tags: tuple[Pair, ...] = ()


class ModelInput(Request, frozen=True, kw_only=True):
    model_id: Named


class GivenModelOutput(Request, frozen=True, kw_only=True):
    model_id: Named
    step: Int64 = 0


class LogInputs(RunRequest, frozen=True, kw_only=True):
    datasets: tuple[GivenDatasetInput, ...] = ()
    models: tuple[ModelInput, ...] = ()


class LogOutputs(RunRequest, frozen=True, kw_only=True):
    models: tuple[GivenModelOutput, ...]


class SearchRuns(Request, frozen=True, kw_only=True):
    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    run_view_type: EnumValue = "ACTIVE_ONLY"
    max_results: Int32 = 1000
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class GetMetricHistory(RunRequest, frozen=True, kw_only=True):
    metric_key: Named
    page_token: str | None = None
    max_results: Int32 | None = None


class GetWholeHistories(Request, frozen=True, kw_only=True):
    """Of several runs, each `run_id` of the query."""

    run_id: Annotated[tuple[str, ...], Meta(min_length=1)]
    metric_key: Named
    max_results: Int32 | None = None


class GetMetricHistories(Request, frozen=True, kw_only=True):
    """Of several runs, thinned out."""

    run_ids: Annotated[tuple[str, ...], Meta(min_length=1)]
    metric_key: Named
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int32 | None = None


class RunInfo(Answer, frozen=True, kw_only=True):
    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None = None
    artifact_uri: str
    lifecycle_stage: str
    run_id: str


class RunData(Answer, frozen=True, kw_only=True):
    metrics: tuple[ToldMetric, ...] = ()
    params: tuple[ToldPair, ...] = ()
    tags: tuple[ToldPair, ...] = ()


class ToldDataset(Answer, frozen=True, kw_only=True):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class ToldDatasetInput(Answer, frozen=True, kw_only=True):
    tags: tuple[ToldPair, ...] = ()
    dataset: ToldDataset


class ToldModelInput(Answer, frozen=True, kw_only=True):
    model_id: str


class ToldModelOutput(Answer, frozen=True, kw_only=True):
    model_id: str
    step: int


class RunInputs(Answer, frozen=True, kw_only=True):
    dataset_inputs: tuple[ToldDatasetInput, ...] = ()
    model_inputs: tuple[ToldModelInput, ...] = ()


class RunOutputs(Answer, frozen=True, kw_only=True):
    model_outputs: tuple[ToldModelOutput, ...] = ()


class ToldRun(Answer, frozen=True, kw_only=True):
    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs | None = None


class OneRun(Answer, frozen=True, kw_only=True):
    run: ToldRun


class UpdatedRun(Answer, frozen=True, kw_only=True):
    run_info: RunInfo


class Runs(Answer, frozen=True, kw_only=True):
    runs: tuple[ToldRun, ...] = ()
    next_page_token: str | None = None


class Metrics(Answer, frozen=True, kw_only=True):
    metrics: tuple[ToldMetric, ...] = ()
    next_page_token: str | None = None


def dataset_input(given: GivenDatasetInput) -> DatasetInput:
    told = given.dataset
    dataset = Dataset(
        name=told.name,
        digest=told.digest,
        source_type=told.source_type,
        source=told.source,
        schema=told.schema,
        profile=told.profile,
    )
    return DatasetInput(dataset=dataset, tags=pairs(given.tags))


def run_info(run: TrackedRun) -> RunInfo:
    return RunInfo(
        run_uuid=run.run_id,
        experiment_id=run.experiment_id,
        run_name=run.name,
        user_id=run.user,
        status=run.status.value,
        start_time=run.started,
        end_time=run.ended,
        artifact_uri=run.artifact_uri,
        lifecycle_stage=run.lifecycle.value,
        run_id=run.run_id,
    )


def told_run(run: TrackedRun) -> ToldRun:
    outputs = tuple(ToldModelOutput(model_id=each.model_id, step=each.step) for each in run.model_outputs)
    return ToldRun(
        info=run_info(run),
        data=RunData(
            metrics=tuple(map(told_metric, run.metrics)),
            params=told_pairs(run.params),
            tags=told_pairs(run.tags),
        ),
        inputs=RunInputs(
            dataset_inputs=tuple(map(_told_input, run.inputs)),
            model_inputs=tuple(ToldModelInput(model_id=each) for each in run.model_inputs),
        ),
        outputs=RunOutputs(model_outputs=outputs) if outputs else None,
    )


def _told_input(given: DatasetInput) -> ToldDatasetInput:
    dataset = given.dataset
    return ToldDatasetInput(
        tags=told_pairs(given.tags),
        dataset=ToldDataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema,
            profile=dataset.profile,
        ),
    )
