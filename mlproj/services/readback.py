"""What a script logged to a configured server, brought into the record: before the seal, or as amendments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from mlproj.errors import MlprojError
from mlproj.model.run import Output, Run
from mlproj.model.tracking import BEGUN_IN, PARENT, Batch, Metric, RunStatus, TrackedRun
from mlproj.services.mirror import RUN_TAG, Ending, server_tags
from mlproj.settings import Limits
from mlproj.tracking_ports import Server, Tracking

SERVED = "served"
_RUN_NAME = "mlflow.runName"
_AT_ONCE = 5000
_ENDED = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to read back: the server, what the store tracks, and how large files may be."""

    server: Server
    tracking: Tracking
    limits: Limits


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """The files that the server holds, and why not all was read, if so."""

    outputs: tuple[Output, ...] = ()
    failure: MlprojError | None = None


def read_back(reader: Reader, there: TrackedRun, run: Run, ending: Ending | None = None) -> ReadBack:
    """Logs to the run here what the server holds of it, which calls it `there`. What is here already is not
    logged again: that is what was planned, and what the server was shown of metric files.

    Never raises MlprojError: as much as can be had is brought in.
    """
    outputs: list[Output] = []
    try:
        _bring_texts(there, reader.tracking, run)
        _bring_metrics(reader, there, run.run_id, _shown(ending))
        for file in reader.server.files(
            there, most=reader.limits.served, altogether=reader.limits.all_served
        ):
            outputs.append(
                Output(path=file.path, state=SERVED, digest=file.digest, size=file.size, declared=False)
            )
    except MlprojError as error:
        return ReadBack(outputs=tuple(outputs), failure=error)
    return ReadBack(outputs=tuple(outputs))


def is_ours(there: TrackedRun, run: Run) -> bool:
    """Whether the server's run is the one that mlproj began for `run`, and not one that a script began."""
    return dict(there.tags).get(RUN_TAG) == run.run_id


def _bring_texts(there: TrackedRun, tracking: Tracking, run: Run) -> None:
    """Params, tags, datasets, logged models, and the status if the script set one."""
    assert run.job is not None, "a run at a server has a job"
    run_id, runs = run.run_id, tracking.runs
    planned = {item.name for item in run.job.parameters}
    params = tuple((key, value) for key, value in there.params if key not in planned)
    ours = {_RUN_NAME: run.name, **(server_tags(run) if is_ours(there, run) else {})}
    # One that was renamed here keeps that name.
    left = {PARENT, BEGUN_IN, *(_RUN_NAME for item in run.amendments if item.kind == "name")}
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


def _shown(ending: Ending | None) -> Callable[[Metric], bool]:
    """Which points are those that the server was shown. Their values it may have rounded."""
    shown = () if ending is None else ending.points
    places = {(point.key, point.step, point.timestamp) for point in shown}
    return lambda point: (point.key, point.step, point.timestamp) in places


def _bring_metrics(reader: Reader, there: TrackedRun, run_id: str, known: Callable[[Metric], bool]) -> None:
    for metric in there.metrics:
        points = itertools.filterfalse(known, reader.server.history(there.run_id, metric.key))
        for batch in _batches(points):
            reader.tracking.runs.log(run_id, Batch(metrics=batch))


def _batches(points: Iterator[Metric]) -> Iterator[tuple[Metric, ...]]:
    """The points some thousands at a time. What they were measured on the record does not tell."""
    while batch := tuple(itertools.islice(points, _AT_ONCE)):
        yield tuple(replace(point, model_id=None, dataset_name=None) for point in batch)
