"""What a team did with MLflow, done by its own client: `history.py URI RUNS FILES` fills the store at URI.

It runs on every line of clients. The first runs have all that a run can have, the others are many.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from importlib import import_module
from typing import Any

# Where this file is checked there is neither.
mlflow: Any = import_module("mlflow")
entities: Any = import_module("mlflow.entities")
Metric, Param, RunTag = entities.Metric, entities.Param, entities.RunTag
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

MAJOR = int(mlflow.__version__.split(".")[0])
START = 1_700_000_000_000


def main() -> None:
    uri, many, files = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "files"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    first = experiments(client)
    run_id = rich_run(client, first, files)
    states(client, first)
    nested(client, first, run_id)
    if MAJOR >= 2 or "://" in uri:
        registry(client, run_id)
    bulk(client, first, many)
    if MAJOR >= 2:
        datasets()
    if MAJOR >= 3:
        logged_model()
        traces()
    elif MAJOR == 2:
        early_traces()


def experiments(client: Any) -> Any:
    client.set_experiment_tag("0", "mlflow.note.content", "what nobody named")
    first = client.create_experiment("wines", tags={"team": "cellar", "long": "x" * 400})
    gone = client.create_experiment("regrets")
    run = client.create_run(gone, run_name="forgotten")
    client.log_metric(run.info.run_id, "loss", 3.5)
    client.set_terminated(run.info.run_id)
    client.delete_experiment(gone)
    return first


def rich_run(client: Any, experiment: Any, files: Any) -> Any:
    run = client.create_run(experiment, start_time=START, tags={"mlflow.user": "ana"}, run_name="rich")
    run_id = run.info.run_id
    params = [Param("alpha", "0.5"), Param("note", "ä ö 漢字"), Param("empty", ""), Param("long", "p" * 450)]
    tags = [RunTag("stage", "a/b: c"), RunTag("mlflow.note.content", "# Title\n\nwords"), RunTag("e", "")]
    client.log_batch(run_id, params=params, tags=tags)
    points = [Metric("rmse", 1 / (step + 1), START + step * 10, step) for step in range(250)]
    odd = [Metric("odd", value, START, 0) for value in (1.0, math.nan, math.inf)]
    odd += [Metric("odd", -math.inf, START + 1, 0), Metric("odd", 1e-300, START + 1, 3)]
    back = [
        Metric("back", 3.0, START + 5, 5),
        Metric("back", 2.0, START + 6, 1),
        Metric("back", 1.0, START, -1),
    ]
    client.log_batch(run_id, metrics=points + odd + back)
    client.log_metric(run_id, "dir/nested metric", 7.25, timestamp=START, step=2)
    if files:
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "plots", "deep er"))
            for name, content in (
                ("empty.txt", b""),
                ("plots/a.bin", os.urandom(300_000)),
                ("plots/deep er/ü.json", b'{"a": 1}'),
                ("model/MLmodel", b"flavors: {}\n"),
            ):
                os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
            client.log_artifacts(run_id, folder)
    client.set_terminated(run_id, end_time=START + 60_000)
    return run_id


def states(client: Any, experiment: Any) -> Any:
    for number, status in enumerate(("FINISHED", "FAILED", "KILLED")):
        run = client.create_run(experiment, start_time=START + 1000 + number)
        client.log_param(run.info.run_id, "number", number)
        client.set_terminated(run.info.run_id, status=status, end_time=START + 2000 + number)
        if status == "KILLED":
            client.delete_run(run.info.run_id)
    going_on = client.create_run(experiment, start_time=START + 3000, tags={"which": "going on"})
    client.log_metric(going_on.info.run_id, "loss", 0.25, timestamp=START, step=1)


def nested(client: Any, experiment: Any, parent: Any) -> Any:
    for number in range(2):
        tags = {"mlflow.parentRunId": parent}
        name = f"child-{number}"
        run = client.create_run(experiment, start_time=START + 4000 + number, tags=tags, run_name=name)
        client.set_terminated(run.info.run_id, end_time=START + 4100)


def registry(client: Any, run_id: Any) -> Any:
    client.create_registered_model("claret", tags={"kind": "red"}, description="From the *left* bank")
    source = client.get_run(run_id).info.artifact_uri + "/model"
    for number in range(4):
        client.create_model_version(
            "claret", source, run_id, tags={"n": str(number)}, description=f"version {number}"
        )
    client.delete_model_version("claret", "2")
    client.transition_model_version_stage("claret", "1", "Production")
    client.transition_model_version_stage("claret", "3", "Staging")
    if MAJOR >= 2:
        client.set_registered_model_alias("claret", "champion", "1")
        client.set_registered_model_alias("claret", "challenger", "4")
    client.create_registered_model("it's empty")


def bulk(client: Any, experiment: Any, many: Any) -> Any:
    for number in range(many):
        run = client.create_run(
            experiment, start_time=START + 10_000 + number, tags={"bulk": str(number % 7)}
        )
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, number + step / 8, START + step, step) for key in "ab" for step in range(5)],
            params=[Param("number", str(number)), Param("kind", "bulk")],
        )
        client.set_terminated(run.info.run_id, end_time=START + 20_000 + number)


def datasets() -> Any:
    mlflow.set_experiment("wines")
    with mlflow.start_run(run_name="with data"):
        data = mlflow.data.from_numpy(import_module("numpy").arange(12).reshape(4, 3), name="grapes")
        mlflow.log_input(data, context="training")


def logged_model() -> Any:
    mlflow.set_experiment("wines")
    with mlflow.start_run(run_name="with model"):
        model = mlflow.initialize_logged_model(
            name="classifier", params={"depth": "3"}, tags={"taste": "dry"}, model_type="agent"
        )
        mlflow.finalize_logged_model(model.model_id, "READY")
        mlflow.log_metric("accuracy", 0.75, step=1, model_id=model.model_id)
        MlflowClient().log_outputs(
            mlflow.active_run().info.run_id,
            models=[entities.LoggedModelOutput(model.model_id, 1)],
        )


def traces() -> Any:
    mlflow.set_experiment("wines")

    def inner(count: Any) -> Any:
        return {"bottles": count, "of": ["red", None, 1.5]}

    def taste(wine: Any) -> Any:
        with mlflow.start_span(name="sip") as span:
            span.set_inputs({"wine": wine})
            span.add_event(entities.SpanEvent("swallow", attributes={"ml": 20}))
        return mlflow.trace(inner)(3)

    traced = mlflow.trace(taste, attributes={"vintage": 1961})
    traced("claret")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    mlflow.set_trace_tag(trace_id, "who", "ana")
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True, rationale="round")
    mlflow.log_expectation(trace_id=trace_id, name="colour", value={"red": [1, 2]})
    with mlflow.start_run(run_name="traced"):
        traced("porto")
    mlflow.flush_trace_async_logging()


def early_traces() -> Any:
    mlflow.set_experiment("wines")

    mlflow.trace(str.upper, name="taste")("claret")


main()
