"""A conversation that touches every route, to be held with any server that speaks MLflow's protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.server.calling import ARTIFACTS, Caller

Said = list[tuple[str, int, Any]]
"""What was asked, in a few words, with the status and the answer."""

TRACES = "/api/3.0/mlflow/traces"
Say = Callable[..., Any]


def hold(caller: Caller) -> Said:
    said: Said = []

    def say(label: str, method: str, path: str, /, **fields: Any) -> Any:
        status, answer = caller(method, path, **fields)
        assert label not in {known for known, _, _ in said}
        said.append((label, status, answer))
        return answer

    experiment = _experiments(say)
    run = _runs(say, experiment)
    _logging(say, run)
    model = _models(say, experiment, run)
    _reading(say, experiment, run)
    _artifacts(say, caller, experiment, run)
    _registry(say, experiment, run, model)
    _traces(say, experiment)
    _traces_of_2(say, experiment)
    _ending(say, experiment, run, model)
    return said


def _experiments(say: Say) -> str:
    tags = [{"key": "a", "value": "b"}]
    made = say("create experiment", "POST", "experiments/create", name="e", tags=tags)
    experiment = str(made["experiment_id"])
    one = {"experiment_id": experiment}
    say("create it again", "POST", "experiments/create", name="e")
    say("create one without name", "POST", "experiments/create")
    say("create one whose name is a number", "POST", "experiments/create", name=5)
    say("create one with a long name", "POST", "experiments/create", name="x" * 501)
    say("get experiment", "GET", "experiments/get", **one)
    say("get none", "GET", "experiments/get")
    say("get one that is not there", "GET", "experiments/get", experiment_id="99999")
    say("get one whose id is no number", "GET", "experiments/get", experiment_id="abc")
    say("get by name", "GET", "experiments/get-by-name", experiment_name="e")
    say("get by a name that is not there", "GET", "experiments/get-by-name", experiment_name="none")
    say("search experiments", "POST", "experiments/search", max_results=1)
    say("search experiments by GET", "GET", "experiments/search", max_results=5)
    say("search too many", "POST", "experiments/search", max_results=50001)
    say("search nothing", "POST", "experiments/search", max_results=0)
    say("search nonsense", "POST", "experiments/search", max_results=5, filter="no =")
    say("set experiment tag", "POST", "experiments/set-experiment-tag", **one, key="k", value="v")
    say("delete experiment tag", "POST", "experiments/delete-experiment-tag", **one, key="k")
    say("delete it again", "POST", "experiments/delete-experiment-tag", **one, key="k")
    say("rename", "POST", "experiments/update", **one, new_name="f")
    return experiment


def _runs(say: Say, experiment: str) -> str:
    user = [{"key": "mlflow.user", "value": "me"}]
    made = say("create run", "POST", "runs/create", experiment_id=experiment, start_time=5, tags=user)
    say("create run elsewhere", "POST", "runs/create", experiment_id="99999")
    say("create run in no number", "POST", "runs/create", experiment_id="abc")
    named = [{"key": "mlflow.runName", "value": "b"}]
    say(
        "create run with two names", "POST", "runs/create", experiment_id=experiment, run_name="a", tags=named
    )
    return str(made["run"]["info"]["run_id"])


def _logging(say: Say, run: str) -> None:
    one: dict[str, Any] = {"run_id": run}
    point: dict[str, Any] = {**one, "key": "m", "value": 1.5, "timestamp": 7}
    path = "runs/log-metric"
    say("log metric", "POST", path, **point)
    say("log metric as text", "POST", path, **{**point, "value": "2.5", "timestamp": "8", "step": "3"})
    say("log NaN", "POST", path, **{**point, "key": "nan", "value": "NaN"})
    say("log a dataset by half", "POST", path, **point, dataset_name="d")
    say("log no value", "POST", path, **one, key="m", timestamp=7)
    say("log a path", "POST", path, **{**point, "key": "m/../x"})
    say("log a star", "POST", path, **{**point, "key": "m*"})
    say("log text", "POST", path, **{**point, "value": "abc"})
    say("log a long key", "POST", path, **{**point, "key": "m" * 251})
    say("log before the epoch", "POST", path, **{**point, "timestamp": -7})
    say("log to no run", "POST", path, **{**point, "run_id": "0" * 32})
    say("log to nothing", "POST", path, key="m", value=1, timestamp=7)
    say("log param", "POST", "runs/log-parameter", **one, key="p", value="1")
    say("log the same param", "POST", "runs/log-parameter", **one, key="p", value="1")
    say("change param", "POST", "runs/log-parameter", **one, key="p", value="2")
    say("log a number as param", "POST", "runs/log-parameter", **one, key="q", value=5)
    say("log an empty param", "POST", "runs/log-parameter", **one, key="r")
    say("set tag", "POST", "runs/set-tag", **one, key="t", value="1")
    say("set name by tag", "POST", "runs/set-tag", **one, key="mlflow.runName", value="named")
    say("delete tag", "POST", "runs/delete-tag", **one, key="t")
    say("delete no tag", "POST", "runs/delete-tag", **one, key="t")
    metric = {"key": "b", "value": 1, "timestamp": 1}
    pair = {"key": "x", "value": "y"}
    say("log batch", "POST", "runs/log-batch", **one, metrics=[metric], params=[pair], tags=[pair])
    say("log empty batch", "POST", "runs/log-batch", **one)
    say("log batch without value", "POST", "runs/log-batch", **one, metrics=[{"key": "b", "timestamp": 1}])
    say("log params twice", "POST", "runs/log-batch", **one, params=[pair, pair])
    say("log too many metrics", "POST", "runs/log-batch", **one, metrics=[metric] * 1001)
    say("log too many params", "POST", "runs/log-batch", **one, params=[pair] * 101)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    context = [{"key": "mlflow.data.context", "value": "train"}]
    say("log inputs", "POST", "runs/log-inputs", **one, datasets=[{"dataset": dataset, "tags": context}])
    long = {**dataset, "digest": "1" * 37}
    say("log inputs with a long digest", "POST", "runs/log-inputs", **one, datasets=[{"dataset": long}])


def _models(say: Say, experiment: str, run: str) -> str:
    pair = [{"key": "a", "value": "1"}]
    made = say(
        *("create model", "POST", "logged-models"),
        **{"experiment_id": experiment, "name": "mod", "source_run_id": run, "params": pair, "tags": pair},
    )
    model = str(made["model"]["info"]["model_id"])
    path = f"logged-models/{model}"
    say("create model with a bad name", "POST", "logged-models", experiment_id=experiment, name="a/b")
    say("finalize model", "PATCH", path, model_id=model, status="LOGGED_MODEL_READY")
    say("set model tags", "PATCH", f"{path}/tags", tags=pair)
    say("log model params", "POST", f"{path}/params", model_id=model, params=[{"key": "z", "value": "1"}])
    say("delete model tag", "DELETE", f"{path}/tags/a")
    say("delete no model tag", "DELETE", f"{path}/tags/a")
    say("log outputs", "POST", "runs/outputs", run_id=run, models=[{"model_id": model, "step": 3}])
    say(
        "log metric of model",
        "POST",
        "runs/log-metric",
        run_id=run,
        key="mm",
        value=1,
        timestamp=7,
        model_id=model,
    )
    say("get model", "GET", path)
    say("get no model", "GET", "logged-models/m-none")
    say("search models", "POST", "logged-models/search", experiment_ids=[experiment])
    say("search models nowhere", "POST", "logged-models/search")
    say("list model artifacts", "GET", f"{path}/artifacts/directories")
    return model


def _reading(say: Say, experiment: str, run: str) -> None:
    say("get run", "GET", "runs/get", run_id=run)
    say("get no run", "GET", "runs/get", run_id="0" * 32)
    say("get nothing", "GET", "runs/get")
    path = "metrics/get-history"
    say("get history", "GET", path, run_id=run, metric_key="m")
    say("get page of history", "GET", path, run_id=run, metric_key="m", max_results=1)
    say("get history of nothing", "GET", path, run_id=run, metric_key="none")
    say("get empty page of history", "GET", path, run_id=run, metric_key="m", max_results=0)
    path = "metrics/get-history-bulk-interval"
    say("get histories", "GET", path, run_ids=[run], metric_key="m")
    say("get half an interval", "GET", path, run_ids=[run], metric_key="m", start_step=1)
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    say("get whole histories", "GET", path, run_id=[run], metric_key="m")
    say("get few of histories", "GET", path, run_id=[run], metric_key="m", max_results=1)
    say("get histories of no run", "GET", path, metric_key="m")
    say("get histories of no metric", "GET", path, run_id=[run])
    say("get histories of many runs", "GET", path, run_id=[run] * 101, metric_key="m")
    say("search runs", "POST", "runs/search", experiment_ids=[experiment])
    say("search runs in camel case", "POST", "runs/search", experimentIds=[experiment], maxResults=1)
    say("search too many runs", "POST", "runs/search", experiment_ids=[experiment], max_results=50001)
    say("search no runs", "POST", "runs/search", experiment_ids=[experiment], max_results=0)
    say("search runs nonsense", "POST", "runs/search", experiment_ids=[experiment], filter="a = 1")
    say("search runs from nowhere", "POST", "runs/search", experiment_ids=[experiment], page_token="bad")
    datasets = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    say("search datasets", "POST", datasets, experiment_ids=[experiment])
    say("search datasets nowhere", "POST", datasets)
    say("update run", "POST", "runs/update", run_id=run, status="FINISHED", end_time=99)
    say("rename run", "POST", "runs/update", run_id=run, run_name="other")
    say("delete run", "POST", "runs/delete", run_id=run)
    say("log to a deleted run", "POST", "runs/log-metric", run_id=run, key="m", value=1, timestamp=7)
    say("restore run", "POST", "runs/restore", run_id=run)


def _artifacts(say: Say, caller: Caller, experiment: str, run: str) -> None:
    root = f"{experiment}/{run}/artifacts"
    assert caller.raw("PUT", f"{ARTIFACTS}/{root}/d/a.txt", b"hi")[0] == 200
    assert caller.raw("GET", f"{ARTIFACTS}/{root}/d/a.txt") == (200, b"hi")
    say("list artifacts", "GET", "artifacts/list", run_id=run)
    say("list a folder", "GET", "artifacts/list", run_id=run, path="d")
    say("list what leads out", "GET", "artifacts/list", run_id=run, path="../x")
    say("list by proxy", "GET", ARTIFACTS, path=root)
    say("list nothing by proxy", "GET", ARTIFACTS, path=f"{root}/none")
    say("list what leads out by proxy", "GET", ARTIFACTS, path="../x")
    say("get no artifact", "GET", f"{ARTIFACTS}/{root}/d/none.txt")
    say("delete artifact", "DELETE", f"{ARTIFACTS}/{root}/d/a.txt")
    say("presigned upload", "POST", "artifacts/presigned-upload-url", run_id=run, path="a")


def _registry(say: Say, experiment: str, run: str, model: str) -> None:
    tags = [{"key": "a", "value": "b"}]
    one: dict[str, Any] = {"name": "r"}
    say("register", "POST", "registered-models/create", **one, tags=tags, description="what")
    say("register again", "POST", "registered-models/create", **one)
    say("register a bad name", "POST", "registered-models/create", name="a/b")
    say("get registered", "GET", "registered-models/get", **one)
    say("get nothing registered", "GET", "registered-models/get", name="none")
    source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/x"
    path = "model-versions/create"
    made = say("create version", "POST", path, **one, source=source, run_id=run, tags=tags)
    say("create version of nothing", "POST", path, name="none", source=source, run_id=run)
    say("create version of a path", "POST", path, **one, source="/etc")
    say("create version of another run", "POST", path, **one, source=source)
    say("create version of a file of no run", "POST", path, **one, source="mlflow-artifacts:/x", run_id=run)
    say("create version of another model", "POST", path, **one, source=f"models:/{model}", model_id="m-1")
    say("create version of elsewhere", "POST", path, **one, source="s3://bucket/model")
    say("create version that leads out", "POST", path, **one, source=f"{source}/../../..", run_id=run)
    say("create version of a model", "POST", path, **one, source=f"models:/{model}", model_id=model)
    version: dict[str, Any] = {**one, "version": str(made["model_version"]["version"])}
    say("get version", "GET", "model-versions/get", **version)
    say("get version x", "GET", "model-versions/get", **one, version="x")
    say("get version 9", "GET", "model-versions/get", **one, version="9")
    say("describe version", "PATCH", "model-versions/update", **version, description="d")
    say("move version", "POST", "model-versions/transition-stage", **version, stage="Staging")
    say("move version nowhere", "POST", "model-versions/transition-stage", **version, stage="nowhere")
    say("set alias", "POST", "registered-models/alias", **version, alias="al")
    say("set alias latest", "POST", "registered-models/alias", **version, alias="latest")
    say("set alias v1", "POST", "registered-models/alias", **version, alias="v1")
    say("set alias of version 9", "POST", "registered-models/alias", **one, version="9", alias="z")
    say("get alias", "GET", "registered-models/alias", **one, alias="al")
    say("get no alias", "GET", "registered-models/alias", **one, alias="none")
    say("delete alias", "DELETE", "registered-models/alias", **one, alias="al")
    say("latest versions", "POST", "registered-models/get-latest-versions", **one, stages=["Staging"])
    say("latest versions by GET", "GET", "registered-models/get-latest-versions", **one)
    say("search registered", "GET", "registered-models/search", filter="name = 'r'")
    say("search too many registered", "GET", "registered-models/search", max_results=1001)
    say("search versions", "GET", "model-versions/search", filter="name = 'r'")
    say("search too many versions", "GET", "model-versions/search", max_results=200001)
    say("download URI", "GET", "model-versions/get-download-uri", **version)
    say("set version tag", "POST", "model-versions/set-tag", **version, key="k", value="v")
    say("delete version tag", "DELETE", "model-versions/delete-tag", **version, key="k")
    say("set registered tag", "POST", "registered-models/set-tag", **one, key="k", value="v")
    say("delete registered tag", "DELETE", "registered-models/delete-tag", **one, key="k")
    say("describe registered", "PATCH", "registered-models/update", **one, description="k")
    say("rename registered", "POST", "registered-models/rename", **one, new_name="s")
    say("delete version", "DELETE", "model-versions/delete", name="s", version=version["version"])
    say("delete registered", "DELETE", "registered-models/delete", name="s")
    say("delete registered again", "DELETE", "registered-models/delete", name="s")


def _traces(say: Say, experiment: str) -> None:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {
        "trace_id": "tr-1",
        "trace_location": place,
        "request_time": "2025-04-15T08:49:18.699Z",
        "execution_duration": "1.200s",
        "state": "OK",
        "trace_metadata": {"a": "b"},
        "tags": {"t": "u"},
        "request_preview": "q",
    }
    say("start trace", "POST", TRACES, trace={"trace_info": info})
    say("get trace info", "GET", f"{TRACES}/tr-1")
    say("get no trace", "GET", f"{TRACES}/tr-none")
    say("search traces", "POST", f"{TRACES}/search", locations=[place])
    say("search traces nowhere", "POST", f"{TRACES}/search")
    say("get trace infos", "POST", f"{TRACES}/batchGetInfos", trace_ids=["tr-1"])
    say("get no traces", "GET", f"{TRACES}/batchGet", trace_ids=["tr-none"])
    say("set trace tag", "PATCH", "traces/tr-1/tags", key="k", value="v")
    say("set trace tag by 3.0", "PATCH", f"{TRACES}/tr-1/tags", key="l", value="v")
    say("delete trace tag", "DELETE", "traces/tr-1/tags", key="k")
    say("delete no trace tag", "DELETE", "traces/tr-1/tags", key="k")
    say("delete traces", "POST", "traces/delete-traces", experiment_id=experiment, request_ids=["tr-1"])
    say("server info", "GET", "/api/3.0/mlflow/server-info")


def _traces_of_2(say: Say, experiment: str) -> None:
    """As MLflow 2's clients speak of them."""
    pair = [{"key": "a", "value": "b"}]
    begun = {"experiment_id": experiment, "timestamp_ms": 1744706958699, "request_metadata": pair}
    made = say("begin trace", "POST", "traces", **begun, tags=pair)
    trace = str(made["trace_info"]["request_id"])
    say("begin trace nowhere", "POST", "traces", experiment_id="99999", timestamp_ms=1)
    say("begin trace with a tag by half", "POST", "traces", **begun, tags=[{"value": "b"}])
    path = f"traces/{trace}"
    more = {"request_metadata": [{"key": "c", "value": "d"}], "tags": [{"key": "e", "value": "f"}]}
    say("end trace", "PATCH", path, timestamp_ms=1744706959899, status="OK", **more)
    say("end no trace", "PATCH", "traces/none", timestamp_ms=1744706959899, status="OK")
    say("get info of trace", "GET", f"{path}/info")
    say("get info of no trace", "GET", "traces/none/info")
    say("search for traces", "GET", "traces", experiment_ids=[experiment], filter="tags.e = 'f'")
    say("search for traces nowhere", "GET", "traces")
    say("search for too many traces", "GET", "traces", experiment_ids=[experiment], max_results=501)
    say("search for traces nonsense", "GET", "traces", experiment_ids=[experiment], filter="a b")
    say("tag trace", "PATCH", f"{path}/tags", key="k", value="v")
    say("get it as 3.0 has it", "GET", f"{TRACES}/{trace}")
    _assessments(say, trace)
    delete = "traces/delete-traces"
    say("delete traces of no kind", "POST", delete, experiment_id=experiment)
    named = {"experiment_id": experiment, "request_ids": [trace]}
    say("delete traces of both kinds", "POST", delete, **named, max_timestamp_millis=1)
    say("delete few traces by id", "POST", delete, **named, max_traces=1)
    before = {"experiment_id": experiment, "max_timestamp_millis": 1744706958699}
    say("delete no traces", "POST", delete, **before, max_traces=0)
    say("delete old traces", "POST", delete, **before, max_traces=5)


def _assessments(say: Say, trace: str) -> None:
    path = f"{TRACES}/{trace}/assessments"
    by = {"source_type": "HUMAN", "source_id": "ada"}
    times = dict.fromkeys(("create_time", "last_update_time"), "2025-04-15T08:49:18.699Z")
    given = {"assessment_name": "good", "source": by, **times, "rationale": "it is", "metadata": {"a": "b"}}
    made = say("assess", "POST", path, assessment={**given, "feedback": {"value": True}})
    one = f"{path}/{made['assessment']['assessment_id']}"
    expectation = {**given, "expectation": {"value": "five"}}
    say("expect", "POST", path, assessment=expectation)
    say("assess nothing", "POST", path)
    say("assess with nothing", "POST", path, assessment=given)
    say("assess no trace", "POST", f"{TRACES}/tr-none/assessments", assessment=expectation)
    say("expect instead of none", "POST", path, assessment={**expectation, "overrides": "a-none"})
    judged = {**given, "feedback": {"value": 1.5}, "overrides": "a-none"}
    say("override none", "POST", path, assessment=judged)
    say("get assessment", "GET", one)
    say("get no assessment", "GET", f"{path}/a-none")
    say("get assessment of no trace", "GET", f"{TRACES}/tr-none/assessments/a-none")
    change = {"feedback": {"value": False}, "rationale": "it is not"}
    say("change assessment", "PATCH", one, assessment=change, update_mask="feedback,rationale")
    say("rename assessment", "PATCH", one, assessment={"assessmentName": "x"}, update_mask="assessmentName")
    other = {"assessment": {"expectation": {"value": "six"}}, "update_mask": "expectation"}
    say("change assessment to another kind", "PATCH", one, **other)
    say("change no assessment", "PATCH", f"{path}/a-none", **other)
    say("change nothing of an assessment", "PATCH", one, assessment=change)
    say("get a trace with assessments", "GET", f"{TRACES}/{trace}")
    say("delete assessment", "DELETE", one)
    say("delete assessment again", "DELETE", one)


def _ending(say: Say, experiment: str, run: str, model: str) -> None:
    say("delete model", "DELETE", f"logged-models/{model}")
    say("get a deleted model", "GET", f"logged-models/{model}")
    say("delete experiment", "POST", "experiments/delete", experiment_id=experiment)
    say("get a deleted experiment", "GET", "experiments/get", experiment_id=experiment)
    say("create run in a deleted one", "POST", "runs/create", experiment_id=experiment)
    say("restore experiment", "POST", "experiments/restore", experiment_id=experiment)
