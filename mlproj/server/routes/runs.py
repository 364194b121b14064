"""Runs and what is logged to them. Logging is the hot path: one decoded struct, one call, a fixed answer."""

from __future__ import annotations

import json

from mlproj.model.access import Kind, Level
from mlproj.model.tracking import Batch, Lifecycle, Metric, ModelOutput, NewRun, Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.failures import DENIED, Failure, invalid
from mlproj.server.route import Route, get, post
from mlproj.server.wire.runs import (
    CreateRun,
    DeleteTag,
    LogBatch,
    LogInputs,
    LogMetric,
    LogModel,
    LogOutputs,
    LogParam,
    MoveRun,
    OneRun,
    RunRequest,
    Runs,
    SearchRuns,
    SetTag,
    UpdatedRun,
    UpdateRun,
    dataset_input,
    run_info,
    told_run,
)
from mlproj.server.wire.values import Empty, pairs, run_status, view
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

MOST = 50_000
DEFAULT_EXPERIMENT = "0"
NAME_TAG = "mlflow.runName"
HISTORY_TAG = "mlflow.log-model.history"
_DONE = Empty()
_MODEL_FIELDS = frozenset({"artifact_path", "flavors", "utc_time_created", "run_id"})


def run_of(asked: RunRequest) -> str:
    run_id = asked.run_id or asked.run_uuid
    if not run_id:
        raise invalid(
            "Missing value for required parameter 'run_id'. "
            "See the API docs for more information about request parameters."
        )
    return run_id


def _written(desk: Desk, asked: RunRequest) -> str:
    """The run that a request writes to, which the caller may."""
    run_id = run_of(asked)
    limits.run_id(run_id)
    desk.write_run(run_id)
    return run_id


def create(desk: Desk, asked: CreateRun) -> OneRun:
    tags = limits.cut_pairs("tags", pairs(asked.tags), limits.RUN_TAG_VALUE)
    tagged = dict(tags).get(NAME_TAG, "")
    if asked.run_name and tagged and asked.run_name != tagged:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{asked.run_name}', mlflow.runName='{tagged}')."
        )
    made = desk.tracking.runs.create(
        NewRun(
            experiment_id=limits.experiment_id(asked.experiment_id or DEFAULT_EXPERIMENT),
            name=asked.run_name or tagged,
            user=asked.user_id,
            started=desk.now() if asked.start_time is None else asked.start_time,
            tags=tags,
            parent=desk.grant.run_id,
        )
    )
    desk.grant.made("run", made.run_id)
    return OneRun(run=told_run(desk.addressed(made)))


def fetch(desk: Desk, asked: RunRequest) -> OneRun:
    return OneRun(run=told_run(desk.addressed(desk.tracking.runs.get(run_of(asked)))))


def update(desk: Desk, asked: UpdateRun) -> UpdatedRun:
    run_id = _written(desk, asked)
    updated = desk.tracking.runs.update(
        run_id,
        status=None if asked.status is None else run_status(asked.status),
        ended=asked.end_time,
        name=asked.run_name or None,
    )
    return UpdatedRun(run_info=run_info(desk.addressed(updated)))


def delete(desk: Desk, asked: RunRequest) -> Empty:
    return _set_lifecycle(desk, asked, Lifecycle.DELETED)


def restore(desk: Desk, asked: RunRequest) -> Empty:
    return _set_lifecycle(desk, asked, Lifecycle.ACTIVE)


def move(desk: Desk, asked: MoveRun) -> Empty:
    """For the start-up hook: the run of a script that names an experiment goes there. Somebody else's run is
    moved by who manages the experiment that loses it."""
    run_id = _written(desk, asked)
    if not desk.grant.limited:
        left = desk.tracking.runs.get(run_id).experiment_id
        if not desk.caller.may(Level.MANAGE, Kind.EXPERIMENT, left):
            raise Failure(DENIED, "a run is moved by whoever manages the experiment that it is in")
    desk.tracking.runs.move(run_id, asked.experiment_id)
    return _DONE


def search(desk: Desk, asked: SearchRuns) -> Runs:
    found, token = desk.tracking.runs.search(
        tuple(map(limits.experiment_id, asked.experiment_ids)),
        read_search(Subject.RUNS, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
        lifecycle=view(asked.run_view_type),
    )
    return Runs(runs=tuple(told_run(desk.addressed(each)) for each in found), next_page_token=token)


def log_metric(desk: Desk, asked: LogMetric) -> Empty:
    run_id = _written(desk, asked)
    point = Metric(
        key=asked.key,
        value=asked.value,
        timestamp=asked.timestamp,
        step=asked.step,
        model_id=asked.model_id or None,
        dataset_name=asked.dataset_name or None,
        dataset_digest=asked.dataset_digest or None,
    )
    limits.metric(point)
    desk.tracking.runs.log(run_id, Batch(metrics=(point,)))
    return _DONE


def log_param(desk: Desk, asked: LogParam) -> Empty:
    run_id = _written(desk, asked)
    limits.key("key", asked.key, "Param key")
    desk.tracking.runs.log(run_id, Batch(params=((asked.key, asked.value[: limits.PARAM_VALUE]),)))
    return _DONE


def set_tag(desk: Desk, asked: SetTag) -> Empty:
    run_id = _written(desk, asked)
    limits.key("key", asked.key)
    desk.tracking.runs.log(run_id, Batch(tags=((asked.key, asked.value[: limits.RUN_TAG_VALUE]),)))
    return _DONE


def delete_tag(desk: Desk, asked: DeleteTag) -> Empty:
    run_id = _written(desk, asked)
    desk.tracking.runs.delete_tag(run_id, asked.key)
    return _DONE


def log_batch(desk: Desk, asked: LogBatch) -> Empty:
    run_id = _written(desk, asked)
    limits.unique([pair.key for pair in asked.params])
    batch = Batch(metrics=asked.metrics, params=pairs(asked.params), tags=pairs(asked.tags))
    desk.tracking.runs.log(run_id, limits.batch(batch))
    return _DONE


def log_inputs(desk: Desk, asked: LogInputs) -> Empty:
    run_id = _written(desk, asked)
    given = tuple(map(dataset_input, asked.datasets))
    for each in given:
        limits.dataset(each.dataset, each.tags)
    desk.tracking.runs.log_inputs(run_id, given, tuple(model.model_id for model in asked.models))
    return _DONE


def log_outputs(desk: Desk, asked: LogOutputs) -> Empty:
    run_id = _written(desk, asked)
    made = tuple(ModelOutput(model_id=model.model_id, step=model.step) for model in asked.models)
    desk.tracking.runs.log_outputs(run_id, made)
    return _DONE


def log_model(desk: Desk, asked: LogModel) -> Empty:
    """As clients before MLflow 3 told of a model: a line more in a tag."""
    run_id = _written(desk, asked)
    try:
        model = json.loads(asked.model_json)
    except (ValueError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise invalid(f"Malformed model info. \n {asked.model_json[:1000]} \n is not a valid JSON.")
    missing = _MODEL_FIELDS - model.keys()
    if missing:
        raise invalid(f"Model json is missing mandatory fields: {sorted(missing)}")
    told = dict(desk.tracking.runs.get(run_id).tags).get(HISTORY_TAG, "")
    history = json.dumps([*_models_in(told), model])
    limits.length("model_json", history, limits.MODEL_HISTORY)
    desk.tracking.runs.log(run_id, Batch(tags=((HISTORY_TAG, history),)))
    return _DONE


def _models_in(history: str) -> list[object]:
    """The models that the tag tells of; none where somebody has set it to something else."""
    try:
        models = json.loads(history)
    except (ValueError, RecursionError):
        return []
    return models if isinstance(models, list) else []


def _set_lifecycle(desk: Desk, asked: RunRequest, lifecycle: Lifecycle) -> Empty:
    run_id = _written(desk, asked)
    desk.tracking.runs.set_lifecycle(run_id, lifecycle)
    return _DONE


ROUTES: tuple[Route, ...] = (
    post("runs/log-metric", LogMetric, Empty, log_metric),
    post("runs/log-batch", LogBatch, Empty, log_batch),
    post("runs/log-parameter", LogParam, Empty, log_param),
    post("runs/set-tag", SetTag, Empty, set_tag),
    post("runs/create", CreateRun, OneRun, create),
    get("runs/get", RunRequest, OneRun, fetch),
    post("runs/update", UpdateRun, UpdatedRun, update),
    post("runs/delete", RunRequest, Empty, delete),
    post("runs/restore", RunRequest, Empty, restore),
    post("runs/search", SearchRuns, Runs, search),
    post("runs/delete-tag", DeleteTag, Empty, delete_tag),
    post("runs/log-inputs", LogInputs, Empty, log_inputs),
    post("runs/outputs", LogOutputs, Empty, log_outputs),
    post("runs/log-model", LogModel, Empty, log_model),
    post("runs/move", MoveRun, Empty, move, below="2.0/mlproj"),
)
