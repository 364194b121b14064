"""Experiments: the names under which runs are kept."""

from __future__ import annotations

from mlproj.errors import NotFound
from mlproj.model.tracking import Batch, Experiment, Lifecycle, Page
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

ASKED = "mlproj.experiment.asked"
"""The tag that names the experiment which a script asked for and did not get; the hook sets it too."""

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
    if desk.grant.movable:
        _follow(desk, made)
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
    return OneExperiment(experiment=told_experiment(desk.addressed(_meant(desk, found.name, found) or found)))


def fetch_by_name(desk: Desk, asked: GetExperimentByName) -> OneExperiment:
    try:
        found = desk.tracking.experiments.named(asked.experiment_name)
    except NotFound:
        meant = _meant(desk, asked.experiment_name, None)
        if meant is None:
            raise
        found = meant
    meant = _meant(desk, found.name, found) or found
    return OneExperiment(experiment=told_experiment(desk.addressed(meant)))


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


def _meant(desk: Desk, name: str, found: Experiment | None) -> Experiment | None:
    """The experiment that a script shall go on with which looks one up before its run is written to.

    `set_experiment` is a look-up to a server, and the client then dies where the run is in another one. So
    the run moves there; where a person has named its experiment, the script is led to that one instead, and
    the run has a tag that says what was asked for. With a hook in the script a look-up is but a look-up.
    """
    run_id = desk.grant.run_id
    if run_id is None or desk.grant.movable is None:
        return found
    if desk.grant.movable:
        if found is not None and found.lifecycle is Lifecycle.ACTIVE:
            _follow(desk, found)
        return found
    own = desk.tracking.experiments.get(desk.tracking.runs.get(run_id).experiment_id)
    if name != own.name:
        desk.tracking.runs.log(run_id, Batch(tags=((ASKED, name[: limits.RUN_TAG_VALUE]),)))
    return own


def _follow(desk: Desk, experiment: Experiment) -> None:
    assert desk.grant.run_id is not None, "only a run moves"
    desk.tracking.runs.move(desk.grant.run_id, experiment.experiment_id)


def hook(desk: Desk, asked: Empty) -> Empty:
    """A hook is at work in the script: it says itself when the run is to move."""
    desk.grant.movable = None
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
