"""Experiments on the wire."""

from __future__ import annotations

from mlproj.model.tracking import Experiment
from mlproj.server.wire.values import Answer, EnumValue, Int64, Named, Pair, Request, ToldPair, told_pairs


class CreateExperiment(Request, frozen=True, kw_only=True):
    name: Named
    artifact_location: str | None = None
    tags: tuple[Pair, ...] = ()


class ExperimentCreated(Answer, frozen=True, kw_only=True):
    experiment_id: str


class SearchExperiments(Request, frozen=True, kw_only=True):
    max_results: Int64 = 1000
    page_token: str | None = None
    filter: str = ""
    order_by: tuple[str, ...] = ()
    view_type: EnumValue = "ACTIVE_ONLY"


class NamedExperiment(Request, frozen=True, kw_only=True):
    """Get, delete, restore."""

    experiment_id: Named


class GetExperimentByName(Request, frozen=True, kw_only=True):
    experiment_name: Named


class UpdateExperiment(Request, frozen=True, kw_only=True):
    experiment_id: Named
    new_name: Named


class SetExperimentTag(Request, frozen=True, kw_only=True):
    experiment_id: Named
    key: Named
    value: str = ""


class DeleteExperimentTag(Request, frozen=True, kw_only=True):
    experiment_id: Named
    key: Named


class SearchDatasets(Request, frozen=True, kw_only=True):
    experiment_ids: tuple[str, ...] = ()


class ToldExperiment(Answer, frozen=True, kw_only=True):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: tuple[ToldPair, ...] = ()


class OneExperiment(Answer, frozen=True, kw_only=True):
    experiment: ToldExperiment


class Experiments(Answer, frozen=True, kw_only=True):
    experiments: tuple[ToldExperiment, ...] = ()
    next_page_token: str | None = None


class DatasetSummary(Answer, frozen=True, kw_only=True):
    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class DatasetSummaries(Answer, frozen=True, kw_only=True):
    dataset_summaries: tuple[DatasetSummary, ...] = ()


def told_experiment(experiment: Experiment) -> ToldExperiment:
    return ToldExperiment(
        experiment_id=experiment.experiment_id,
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=experiment.lifecycle.value,
        last_update_time=experiment.updated,
        creation_time=experiment.created,
        tags=told_pairs(experiment.tags),
    )
