"""Everything that one user can have at a server, so that another can try to get at it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec

from mlproj.model.digest import Digest
from tests.server.calling import ARTIFACTS, Caller

TRACES = "/api/3.0/mlflow/traces"
PROXY = "/api/2.0/mlflow-artifacts"


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has: `known` says what that is called, by the names of the fields that a request has for
    it, and `mark` is in every text of theirs."""

    mark: str
    known: dict[str, Any]


def settle(caller: Caller, user: str, mark: str | None = None) -> World:
    """Has the caller, who is that user, make something of everything."""
    mark = mark or user
    text = f"{mark} content"
    tags = [{"key": f"{mark}-tag", "value": text}]
    experiment = caller.done("POST", "experiments/create", name=f"{mark} experiment", tags=tags)[
        "experiment_id"
    ]
    made = caller.done(
        "POST", "runs/create", experiment_id=experiment, run_name=f"{mark} run", start_time=5, tags=tags
    )
    run_id = made["run"]["info"]["run_id"]
    own = {"run_id": run_id}
    caller.done("POST", "runs/log-metric", **own, key=f"{mark}-metric", value=0.5, timestamp=1, step=1)
    caller.done("POST", "runs/log-parameter", **own, key=f"{mark}-param", value=text)
    dataset = {"name": f"{mark} data", "digest": mark, "source_type": "local", "source": text}
    caller.done("POST", "runs/log-inputs", **own, datasets=[{"dataset": dataset}])
    model = caller.done(
        "POST",
        "logged-models",
        experiment_id=experiment,
        name=f"{mark}-logged",
        source_run_id=run_id,
        params=tags,
        tags=tags,
    )["model"]["info"]["model_id"]
    caller.done("POST", "runs/outputs", **own, models=[{"model_id": model, "step": 0}])
    for place in (f"{experiment}/{run_id}", f"{experiment}/models/{model}"):
        assert caller.raw("PUT", f"{ARTIFACTS}/{place}/artifacts/{mark}.txt", text)[0] == 200
    root = f"{experiment}/{run_id}/artifacts"
    upload = caller.done("POST", f"{PROXY}/mpu/create/{root}", path=f"{mark}.bin", num_parts=1)["upload_id"]
    closed = caller.done("POST", "runs/create", experiment_id=experiment, run_name=f"{mark} closed")
    closed_id = closed["run"]["info"]["run_id"]
    assert caller.raw("PUT", f"{ARTIFACTS}/{experiment}/{closed_id}/artifacts/c", text)[0] == 200
    caller.done("POST", "runs/update", run_id=closed_id, status="FINISHED", end_time=10)
    name = f"{mark}-registered"
    caller.done("POST", "registered-models/create", name=name, description=text, tags=tags)
    source = f"mlflow-artifacts:/{root}/{mark}.txt"
    caller.done("POST", "model-versions/create", name=name, source=source, run_id=run_id, tags=tags)
    caller.done("POST", "registered-models/alias", name=name, alias=f"{mark}-alias", version="1")
    trace_id, assessment = _trace(caller, mark, experiment)
    return World(
        mark=mark,
        known={
            "run_id": run_id,
            "run_uuid": run_id,
            "closed_id": closed_id,
            "digest": Digest.of(text.encode()),
            "digits": Digest.of(text.encode()).hex[:16],
            "source_run_id": run_id,
            "experiment_id": experiment,
            "experiment_name": f"{mark} experiment",
            "model_id": model,
            "name": name,
            "version": "1",
            "alias": f"{mark}-alias",
            "trace_id": trace_id,
            "request_id": trace_id,
            "assessment_id": assessment,
            "upload_id": upload,
            "artifact_path": root,
            "path": root,
            "source": source,
            "username": user,
            "key": f"{mark}-tag",
            "tag_key": f"{mark}-tag",
            "metric_key": f"{mark}-metric",
        },
    )


def never(like: World) -> World:
    """Of the same form, and nobody's."""
    known = like.known
    run_id, model, mark = uuid.uuid4().hex, f"m-{uuid.uuid4().hex}", f"none{uuid.uuid4().hex[:6]}"
    experiment, root = "987654", f"987654/{run_id}/artifacts"
    fresh = {
        "run_id": run_id,
        "run_uuid": run_id,
        "closed_id": uuid.uuid4().hex,
        "digest": Digest.of(mark.encode()),
        "digits": Digest.of(mark.encode()).hex[:16],
        "source_run_id": run_id,
        "experiment_id": experiment,
        "experiment_name": f"{mark} experiment",
        "model_id": model,
        "name": f"{mark}-registered",
        "version": "1",
        "alias": f"{mark}-alias",
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "assessment_id": f"a-{uuid.uuid4().hex}",
        "upload_id": uuid.uuid4().hex,
        "artifact_path": root,
        "path": root,
        "source": f"mlflow-artifacts:/{root}/{mark}.txt",
        "username": mark,
        "key": f"{mark}-tag",
        "tag_key": f"{mark}-tag",
        "metric_key": f"{mark}-metric",
    }
    fresh["request_id"] = fresh["trace_id"]
    assert fresh.keys() == known.keys()
    return World(mark=mark, known=fresh)


def seen(caller: Caller, world: World) -> Any:
    """All that its owner can read of a world, but for when somebody last touched the experiment."""
    known = world.known
    experiment = caller.done("GET", "experiments/get", experiment_id=known["experiment_id"])
    del experiment["experiment"]["last_update_time"]
    root = known["artifact_path"]
    return [
        experiment,
        caller.done("GET", "runs/get", run_id=known["run_id"]),
        caller.done("POST", "runs/search", experiment_ids=[known["experiment_id"]], max_results=100),
        caller.done("GET", "metrics/get-history", run_id=known["run_id"], metric_key=known["metric_key"]),
        caller.done("GET", f"logged-models/{known['model_id']}"),
        caller.done("POST", "logged-models/search", experiment_ids=[known["experiment_id"]]),
        caller.done("GET", "registered-models/get", name=known["name"]),
        caller.done("GET", "model-versions/get", name=known["name"], version="1"),
        caller.done("GET", f"{TRACES}/get", trace_id=known["trace_id"]),
        caller.done("GET", "artifacts/list", run_id=known["run_id"]),
        caller.raw("GET", f"{ARTIFACTS}/{root}/{world.mark}.txt"),
    ]


def _trace(caller: Caller, mark: str, experiment: str) -> tuple[str, str]:
    trace_id = f"tr-{uuid.uuid4().hex}"
    info = {
        "trace_id": trace_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
        "request_preview": f"{mark} content",
        "tags": {f"{mark}-tag": f"{mark} content"},
    }
    caller.done("POST", TRACES, trace={"trace_info": info})
    good = {"assessment_name": mark, "feedback": {"value": f"{mark} content"}}
    made = caller.done("POST", f"{TRACES}/{trace_id}/assessments", assessment=good)
    span = {"trace_id": trace_id.removeprefix("tr-"), "span_id": "b" * 16, "name": f"{mark} span"}
    spans = json.dumps({"resource_spans": [{"scope_spans": [{"spans": [span]}]}]})
    headers = {"content-type": "application/json", "x-mlflow-experiment-id": experiment}
    assert caller.raw("POST", "/v1/traces", spans, headers)[0] == 200
    return trace_id, made["assessment"]["assessment_id"]
