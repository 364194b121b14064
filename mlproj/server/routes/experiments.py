"""Experiments: the names under which runs are kept."""

from __future__ import annotations

from mlproj.model.tracking import Lifecycle, Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import Route, get, post
from mlproj.server.wire.experiments import (
    CreateExperiment,
    DatasetSummaries,
    DatasetSummary,
    DeleteExperimentTag,
    ExperimentCreated,
    Experiments,
    GetExperimentByName,
    NamedExperiment,
    OneExperiment,
    SearchDatasets,
    SearchExperiments,
    SetExperimentTag,
    UpdateExperiment,
    told_experiment,
)
from mlproj.server.wire.values import Empty, pairs, view
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

MOST = 50_000
_MOST_EXPERIMENTS = 20


def create(desk: Desk, asked: CreateExperiment) -> ExperimentCreated:
    limits.experiment_name(asked.name)
    limits.artifact_location(asked.artifact_location)
    tags = limits.pairs(pairs(asked.tags), limits.EXPERIMENT_TAG_VALUE)
    made = desk.tracking.experiments.create(
        asked.name, artifact_location=asked.artifact_location or None, tags=tags
    )
    desk.grant.made("experiment", made.experiment_id)
    _follow(desk, made.experiment_id)
    return ExperimentCreated(experiment_id=made.experiment_id)


def search(desk: Desk, asked: SearchExperiments) -> Experiments:
    found, token = desk.tracking.experiments.search(
        read_search(Subject.EXPERIMENTS, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
        lifecycle=view(asked.view_type),
    )
    told = tuple(told_experiment(desk.addressed(each)) for each in found)
    return Experiments(experiments=told, next_page_token=token)


def fetch(desk: Desk, asked: NamedExperiment) -> OneExperiment:
    found = desk.tracking.experiments.get(limits.experiment_id(asked.experiment_id))
    return OneExperiment(experiment=told_experiment(desk.addressed(found)))


def fetch_by_name(desk: Desk, asked: GetExperimentByName) -> OneExperiment:
    found = desk.tracking.experiments.named(asked.experiment_name)
    if found.lifecycle is Lifecycle.ACTIVE:
        _follow(desk, found.experiment_id)
    return OneExperiment(experiment=told_experiment(desk.addressed(found)))


def delete(desk: Desk, asked: NamedExperiment) -> Empty:
    desk.write_experiment(asked.experiment_id)
    desk.tracking.experiments.set_lifecycle(asked.experiment_id, Lifecycle.DELETED)
    return Empty()


def restore(desk: Desk, asked: NamedExperiment) -> Empty:
    desk.write_experiment(asked.experiment_id)
    desk.tracking.experiments.set_lifecycle(asked.experiment_id, Lifecycle.ACTIVE)
    return Empty()


def update(desk: Desk, asked: UpdateExperiment) -> Empty:
    desk.write_experiment(asked.experiment_id)
    limits.experiment_name(asked.new_name)
    desk.tracking.experiments.rename(asked.experiment_id, asked.new_name)
    return Empty()


def set_tag(desk: Desk, asked: SetExperimentTag) -> Empty:
    _may_tag(desk, asked.experiment_id)
    limits.pairs(((asked.key, asked.value),), limits.EXPERIMENT_TAG_VALUE)
    desk.tracking.experiments.set_tag(asked.experiment_id, asked.key, asked.value)
    return Empty()


def delete_tag(desk: Desk, asked: DeleteExperimentTag) -> Empty:
    _may_tag(desk, asked.experiment_id)
    desk.tracking.experiments.delete_tag(asked.experiment_id, asked.key)
    return Empty()


def search_datasets(desk: Desk, asked: SearchDatasets) -> DatasetSummaries:
    if not asked.experiment_ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(asked.experiment_ids) > _MOST_EXPERIMENTS:
        raise invalid(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(asked.experiment_ids)} experiment_ids."
        )
    found = desk.tracking.runs.datasets(asked.experiment_ids)
    told = (
        DatasetSummary(experiment_id=experiment_id, name=name, digest=digest, context=context)
        for experiment_id, name, digest, context in found
    )
    return DatasetSummaries(dataset_summaries=tuple(told))


def _follow(desk: Desk, experiment_id: str) -> None:
    """Moves the caller's run to an experiment that it names before it writes anything.

    `set_experiment` is a look-up to a server, and the client then dies where the run is in another one. With
    a hook in the script a look-up is known from it.
    """
    grant = desk.grant
    if grant.run_id is not None and grant.movable:
        desk.tracking.runs.move(grant.run_id, experiment_id)


def hook(desk: Desk, asked: Empty) -> Empty:
    """A hook is at work in the script: it says itself when the run is to move."""
    desk.grant.movable = False
    return Empty()


def _may_tag(desk: Desk, experiment_id: str) -> None:
    """A run may tag the experiment that it is in, too."""
    run_id = desk.grant.run_id
    if run_id is None or desk.tracking.runs.get(run_id).experiment_id != experiment_id:
        desk.write_experiment(experiment_id)


ROUTES: tuple[Route, ...] = (
    post("experiments/create", CreateExperiment, ExperimentCreated, create),
    post("experiments/search", SearchExperiments, Experiments, search),
    get("experiments/search", SearchExperiments, Experiments, search),
    # What clients before MLflow 2 call where nothing is searched for.
    get("experiments/list", SearchExperiments, Experiments, search),
    get("experiments/get", NamedExperiment, OneExperiment, fetch),
    get("experiments/get-by-name", GetExperimentByName, OneExperiment, fetch_by_name),
    post("experiments/delete", NamedExperiment, Empty, delete),
    post("experiments/restore", NamedExperiment, Empty, restore),
    post("experiments/update", UpdateExperiment, Empty, update),
    post("experiments/set-experiment-tag", SetExperimentTag, Empty, set_tag),
    post("experiments/delete-experiment-tag", DeleteExperimentTag, Empty, delete_tag),
    post("experiments/search-datasets", SearchDatasets, DatasetSummaries, search_datasets),
    get("hook", Empty, Empty, hook, below="2.0/mlproj"),
)
