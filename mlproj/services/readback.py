"""What a script logged to a configured server, brought into the record: before the seal, or as amendments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from mlproj.errors import MlprojError
from mlproj.model.run import Output, Run
from mlproj.model.tracking import Batch, Metric, RunStatus, TrackedRun
from mlproj.services.mirror import server_tags
from mlproj.settings import Limits
from mlproj.tracking_ports import Server, Tracking

SERVED = "served"
_RUN_NAME = "mlflow.runName"
_PARENT = "mlflow.parentRunId"
_AT_ONCE = 5000
_ENDED = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """The files that the server holds, and why not all was read, if so."""

    outputs: tuple[Output, ...] = ()
    failure: MlprojError | None = None


def read_back(server: Server, there: TrackedRun, tracking: Tracking, run: Run, limits: Limits) -> ReadBack:
    """Logs to the run here what its server holds of it, which calls it `there`. What is here already is not
    logged again.

    Never raises MlprojError: as much as can be had is brought in.
    """
    outputs: list[Output] = []
    try:
        _bring_texts(there, tracking, run)
        _bring_metrics(server, there, tracking, run.run_id)
        for file in server.files(there, most=limits.served, altogether=limits.all_served):
            outputs.append(
                Output(path=file.path, state=SERVED, digest=file.digest, size=file.size, declared=False)
            )
    except MlprojError as error:
        return ReadBack(outputs=tuple(outputs), failure=error)
    return ReadBack(outputs=tuple(outputs))


def _bring_texts(there: TrackedRun, tracking: Tracking, run: Run) -> None:
    """Params, tags, datasets, logged models, and the status if the script set one."""
    assert run.job is not None, "a run at a server has a job"
    run_id, runs = run.run_id, tracking.runs
    planned = {item.name for item in run.job.parameters}
    params = tuple((key, value) for key, value in there.params if key not in planned)
    ours = {**server_tags(run), _RUN_NAME: run.name}
    # One that was renamed here keeps that name.
    left = {_PARENT, *(_RUN_NAME for item in run.amendments if item.kind == "name")}
    found = {key: value for key, value in there.tags if key not in left}
    tags = tuple((key, value) for key, value in found.items() if ours.get(key) != value)
    runs.log(run_id, Batch(params=params, tags=tags))
    here = dict(runs.get(run_id).tags)
    for key, _ in run.job.tags:
        if key in here and key not in found:
            runs.delete_tag(run_id, key)
    if there.inputs or there.model_inputs:
        runs.log_inputs(run_id, there.inputs, there.model_inputs)
    if there.model_outputs:
        runs.log_outputs(run_id, there.model_outputs)
    if run.outcome is None and there.status in _ENDED:
        runs.update(run_id, status=there.status)


def _bring_metrics(server: Server, there: TrackedRun, tracking: Tracking, run_id: str) -> None:
    for metric in there.metrics:
        for batch in _batches(server.history(there.run_id, metric.key)):
            tracking.runs.log(run_id, Batch(metrics=batch))


def _batches(points: Iterator[Metric]) -> Iterator[tuple[Metric, ...]]:
    """The points some thousands at a time. What they were measured on the record does not tell."""
    while batch := tuple(itertools.islice(points, _AT_ONCE)):
        yield tuple(replace(point, model_id=None, dataset_name=None) for point in batch)
