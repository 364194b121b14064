"""What MLflow's users call, on any line of its client; it asserts MLflow's behaviour, whoever serves it.

A program of its own, run by the client's Python with `MLFLOW_TRACKING_URI` set, and with nothing of ours: so
it is one file. It goes through the parts that the command line names, or through all of them.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

# Where this file is checked there is neither.
mlflow: Any = import_module("mlflow")
pandas: Any = import_module("pandas")

entities: Any = import_module("mlflow.entities")
Metric, Param, RunTag, ViewType = entities.Metric, entities.Param, entities.RunTag, entities.ViewType
MlflowException: Any = import_module("mlflow.exceptions").MlflowException
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
UNIQUE = uuid.uuid4().hex[:8]


def named(name: str) -> str:
    return f"{name}-{UNIQUE}"


def refused(code: str, act: Callable[..., object], *given: object, **named: object) -> None:
    try:
        act(*given, **named)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, str(error))
    else:
        raise AssertionError(f"{act} {given} was not refused")


def experiments() -> None:
    client = MlflowClient()
    one = client.create_experiment(named("one"), tags={"a": "b"})
    found = client.get_experiment(one)
    assert (found.name, found.lifecycle_stage, found.tags) == (named("one"), "active", {"a": "b"})
    assert found.artifact_location and found.creation_time and found.last_update_time
    assert client.get_experiment_by_name(named("one")).experiment_id == one
    assert client.get_experiment_by_name(named("none")) is None
    refused("RESOURCE_DOES_NOT_EXIST", client.get_experiment, "987654321")
    refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, named("one"))
    refused("INVALID_PARAMETER_VALUE", client.create_experiment, "")
    client.set_experiment_tag(one, "k", "v" * 5000)
    assert client.get_experiment(one).tags == {"a": "b", "k": "v" * 5000}
    client.rename_experiment(one, named("renamed"))
    assert client.get_experiment(one).name == named("renamed")
    client.delete_experiment(one)
    assert client.get_experiment(one).lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", client.create_run, one)
    client.restore_experiment(one)
    assert client.get_experiment(one).lifecycle_stage == "active"
    two = client.create_experiment(named("two"))
    client.delete_experiment(two)
    mine = f"name LIKE '%{UNIQUE}'"
    for view, ids in (
        (ViewType.ACTIVE_ONLY, {one}),
        (ViewType.DELETED_ONLY, {two}),
        (ViewType.ALL, {one, two}),
    ):
        search = client.search_experiments(view_type=view, filter_string=mine)
        assert {each.experiment_id for each in search} == ids, view
    page = client.search_experiments(
        view_type=ViewType.ALL, filter_string=mine, max_results=1, order_by=["name"]
    )
    assert [each.experiment_id for each in page] == [one] and page.token
    rest = client.search_experiments(
        view_type=ViewType.ALL, filter_string=mine, max_results=1, order_by=["name"], page_token=page.token
    )
    assert [each.experiment_id for each in rest] == [two]
    assert [
        each.experiment_id for each in client.search_experiments(filter_string=f"{mine} and tags.a = 'b'")
    ] == [one]
    refused("INVALID_PARAMETER_VALUE", client.search_experiments, filter_string="nonsense = 1")
    assert mlflow.set_experiment(named("fluent")).name == named("fluent")
    assert mlflow.set_experiment(experiment_id=one).experiment_id == one
    mlflow.set_experiment_tag("fluent", "yes")
    assert mlflow.get_experiment(one).tags["fluent"] == "yes"


def runs() -> None:
    client = MlflowClient()
    experiment = client.create_experiment(named("runs"))
    mlflow.set_experiment(named("runs"))
    with mlflow.start_run(run_name="parent", tags={"t": "1"}) as parent:
        assert mlflow.active_run().info.run_id == parent.info.run_id
        with mlflow.start_run(nested=True, description="a child") as child:
            mlflow.log_metric("m", 1)
    told = client.get_run(parent.info.run_id)
    assert (told.info.status, told.info.run_name, told.data.tags["t"]) == ("FINISHED", "parent", "1")
    assert told.data.tags["mlflow.runName"] == "parent"
    assert told.info.end_time >= told.info.start_time and told.info.artifact_uri
    told = client.get_run(child.info.run_id)
    assert told.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert told.data.tags["mlflow.note.content"] == "a child"
    assert told.info.run_name
    try:
        with mlflow.start_run() as failed:
            raise KeyError("oops")
    except KeyError:
        pass
    assert client.get_run(failed.info.run_id).info.status == "FAILED"
    with mlflow.start_run(run_id=failed.info.run_id):
        mlflow.log_param("again", "yes")
    assert client.get_run(failed.info.run_id).info.status == "FINISHED"
    run = client.create_run(experiment, start_time=12345, run_name="by client")
    assert (run.info.status, run.info.start_time, run.info.run_name) == ("RUNNING", 12345, "by client")
    client.update_run(run.info.run_id, status="SCHEDULED", name="renamed")
    told = client.get_run(run.info.run_id)
    assert (told.info.status, told.info.run_name) == ("SCHEDULED", "renamed")
    assert told.data.tags["mlflow.runName"] == "renamed"
    client.set_tag(run.info.run_id, "mlflow.runName", "by tag")
    assert client.get_run(run.info.run_id).info.run_name == "by tag"
    client.set_terminated(run.info.run_id, "KILLED", end_time=23456)
    told = client.get_run(run.info.run_id)
    assert (told.info.status, told.info.end_time) == ("KILLED", 23456)
    client.delete_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run.info.run_id, "m", 1)
    client.restore_run(run.info.run_id)
    client.log_metric(run.info.run_id, "m", 1)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32)
    refused("RESOURCE_DOES_NOT_EXIST", client.log_metric, "0" * 32, "m", 1)
    mlflow.delete_run(child.info.run_id)
    assert {each.info.run_id for each in client.search_runs([experiment])} == {
        parent.info.run_id,
        failed.info.run_id,
        run.info.run_id,
    }
    if VERSION >= (2, 3):
        assert client.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id


def logging() -> None:
    client = MlflowClient()
    experiment = client.create_experiment(named("logging"))
    mlflow.set_experiment(named("logging"))
    with mlflow.start_run() as run:
        run_id = run.info.run_id
        mlflow.log_param("alpha", 0.5)
        mlflow.log_param("alpha", 0.5)
        refused("INVALID_PARAMETER_VALUE", mlflow.log_param, "alpha", 1)
        mlflow.log_params({f"p/{number}": number for number in range(150)})
        mlflow.log_metric("rmse", 3)
        for step in range(5):
            mlflow.log_metric("rmse", step / 2, step=step)
        mlflow.log_metrics({"a.b": 1.5, "c d": -2, "e:f" if VERSION >= (2, 14) else "e-f": 0}, step=7)
        mlflow.log_metric("not", float("nan"))
        mlflow.log_metric("more", float("inf"))
        mlflow.log_metric("less", float("-inf"))
        mlflow.set_tag("tag", "x" * 4000)
        mlflow.set_tags({"one": 1, "two": None})
        mlflow.set_tag("gone", "1")
        mlflow.delete_tag("gone")
        refused("RESOURCE_DOES_NOT_EXIST", mlflow.delete_tag, "gone")
    data = client.get_run(run_id).data
    assert data.params["alpha"] == "0.5" and data.params["p/149"] == "149" and len(data.params) == 151
    assert data.metrics["rmse"] == 2.0 and data.metrics["a.b"] == 1.5 and data.metrics["c d"] == -2.0
    assert math.isnan(data.metrics["not"])
    # Of the databases only some keep what is infinite.
    assert data.metrics["more"] >= 1.7e308 and data.metrics["less"] <= -1.7e308
    assert data.tags["tag"] == "x" * 4000 and data.tags["one"] == "1" and data.tags["two"] == "None"
    assert "gone" not in data.tags
    history = client.get_metric_history(run_id, "rmse")
    assert [(point.step, point.value) for point in history if point.step] == [
        (1, 0.5),
        (2, 1.0),
        (3, 1.5),
        (4, 2.0),
    ]
    assert len(history) == 6
    assert client.get_metric_history(run_id, "none") == []
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric("batch", float(step), now + step, step) for step in range(900)],
        params=[Param("batch", "p" * 400)],
        tags=[RunTag("batch", "t")],
    )
    data = client.get_run(run_id).data
    assert (data.metrics["batch"], data.params["batch"], data.tags["batch"]) == (899.0, "p" * 400, "t")
    assert len(client.get_metric_history(run_id, "batch")) == 900
    client.log_batch(run_id)
    for name in ("", "a*b", "../a", "/a", "a//b", *(["x" * 251] if VERSION >= (2, 0) else [])):
        refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, name, 1)
        refused("INVALID_PARAMETER_VALUE", client.log_param, run_id, name, 1)
        refused("INVALID_PARAMETER_VALUE", client.set_tag, run_id, name, 1)
    refused(
        "INVALID_PARAMETER_VALUE",
        client.log_batch,
        run_id,
        params=[Param("twice", "1"), Param("twice", "2")],
    )
    refused(
        "INVALID_PARAMETER_VALUE",
        client.log_batch,
        run_id,
        metrics=[Metric("ok", 1.0, now, 0)],
        params=[Param("alpha", "other")],
    )
    assert "ok" not in client.get_run(run_id).data.metrics
    if VERSION >= (2, 8):
        client.log_param(run_id, "long", "y" * 6000)
        assert client.get_run(run_id).data.params["long"] == "y" * 6000
        assert mlflow.MlflowClient().get_run(run_id).info.experiment_id == experiment


def datasets() -> None:
    if VERSION < (2, 4):
        return
    client = MlflowClient()
    mlflow.set_experiment(named("datasets"))
    frame = pandas.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})
    dataset = mlflow.data.from_pandas(frame, source="https://example.org/table.csv", name="table")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="training")
    (logged,) = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("table", dataset.digest)
    assert logged.dataset.schema and logged.dataset.profile and logged.dataset.source_type == "http"
    assert [(tag.key, tag.value) for tag in logged.tags] == [("mlflow.data.context", "training")]
    experiment = client.get_experiment_by_name(named("datasets")).experiment_id
    for text, hits in (
        ("dataset.name = 'table'", 1),
        ("dataset.context = 'training'", 1),
        ("dataset.name = 'x'", 0),
    ):
        assert len(client.search_runs([experiment], text)) == hits, text


def artifacts() -> None:
    client = MlflowClient()
    mlflow.set_experiment(named("artifacts"))
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        for path, content in (("a.txt", b"a"), ("tree/b.bin", bytes(range(256))), ("tree/c d é.txt", b"c")):
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content)
        mlflow.log_artifact(os.path.join(folder, "a.txt"))
        mlflow.log_artifact(os.path.join(folder, "a.txt"), "deep/down")
        mlflow.log_artifacts(os.path.join(folder, "tree"), "tree")
        mlflow.log_text("hello", "text/hello.txt")
        mlflow.log_dict({"k": 1}, "dict.json")
        run_id = run.info.run_id
        assert mlflow.get_artifact_uri("tree").endswith("/tree")
    listed = {each.path: (each.is_dir, each.file_size) for each in client.list_artifacts(run_id)}
    assert listed["a.txt"] == (False, 1) and listed["tree"][0] and listed["deep"][0] and listed["text"][0]
    tree = {each.path: each.file_size for each in client.list_artifacts(run_id, "tree")}
    assert tree == {"tree/b.bin": 256, "tree/c d é.txt": 1}
    assert client.list_artifacts(run_id, "nowhere") == []
    assert client.list_artifacts(run_id, "a.txt") == []
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(run_id, "tree", folder)
        with open(os.path.join(path, "b.bin"), "rb") as file:
            assert file.read() == bytes(range(256))
        path = client.download_artifacts(run_id, "text/hello.txt", folder)
        with open(path) as file:
            assert file.read() == "hello"
        if VERSION >= (2, 0):
            assert mlflow.artifacts.load_dict(f"runs:/{run_id}/dict.json") == {"k": 1}


def searching() -> None:
    client = MlflowClient()
    experiment = client.create_experiment(named("searching"))
    ids = []
    for number in range(10):
        run = client.create_run(experiment, start_time=1000 + number)
        ids.append(run.info.run_id)
        client.log_batch(
            run.info.run_id,
            metrics=[Metric("loss", number / 10, 1, 0)],
            params=[Param("kind", "even" if number % 2 == 0 else "odd")],
            tags=[RunTag("owner", "ada" if number < 5 else "bob")],
        )
    client.set_terminated(ids[0])

    def found(text: str = "", **named: Any) -> list[int]:
        return [ids.index(run.info.run_id) for run in client.search_runs([experiment], text, **named)]

    assert found() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert found("metrics.loss < 0.35", order_by=["metrics.loss ASC"]) == [0, 1, 2, 3]
    assert found("metrics.loss >= 0.3 and params.kind = 'odd'", order_by=["metrics.loss DESC"]) == [
        9,
        7,
        5,
        3,
    ]
    assert found("tags.owner != 'ada'", order_by=["attributes.start_time"]) == [5, 6, 7, 8, 9]
    assert found("tags.`owner` LIKE 'a%' and params.kind ILIKE 'EV%'") == [4, 2, 0]
    assert found("attributes.status = 'FINISHED'") == [0]
    assert found(f"attributes.run_id = '{ids[3]}'") == [3]
    assert found(f"attributes.run_id IN ('{ids[3]}', '{ids[4]}')") == [4, 3]
    assert found("attributes.start_time > 1007") == [9, 8]
    assert found("metrics.none = 1") == []
    page = client.search_runs([experiment], order_by=["metrics.loss"], max_results=4)
    seen = [ids.index(run.info.run_id) for run in page]
    while page.token:
        page = client.search_runs(
            [experiment], order_by=["metrics.loss"], max_results=4, page_token=page.token
        )
        seen += [ids.index(run.info.run_id) for run in page]
    assert seen == list(range(10))
    client.delete_run(ids[9])
    assert found(run_view_type=ViewType.DELETED_ONLY) == [9]
    assert len(found(run_view_type=ViewType.ALL)) == 10
    for text in ("nonsense", "metrics.loss ~ 1", "params.kind > 'a'", "metrics.loss = 'text'"):
        refused("INVALID_PARAMETER_VALUE", client.search_runs, [experiment], text)
    refused("INVALID_PARAMETER_VALUE", client.search_runs, [experiment], max_results=50001)
    frame = mlflow.search_runs([experiment], "metrics.loss < 0.25", order_by=["metrics.loss"])
    assert list(frame["metrics.loss"]) == [0.0, 0.1, 0.2] and list(frame["params.kind"]) == [
        "even",
        "odd",
        "even",
    ]


def _predict(self: Any, context: Any, model_input: Any, params: Any = None) -> Any:
    return model_input * 2


Doubling: Any = type("Doubling", (mlflow.pyfunc.PythonModel,), {"predict": _predict})


def _log_model(**named: Any) -> Any:
    place = {"name": "model"} if VERSION >= (3, 0) else {"artifact_path": "model"}
    return mlflow.pyfunc.log_model(**place, python_model=Doubling(), pip_requirements=[], **named)


def models() -> None:
    client = MlflowClient()
    mlflow.set_experiment(named("models"))
    name = named("doubling")
    frame = pandas.DataFrame({"a": [1.0, 2.0]})
    with mlflow.start_run() as run:
        logged = _log_model(input_example=frame, registered_model_name=name)
        mlflow.log_metric("after", 1)
    assert list(mlflow.pyfunc.load_model(logged.model_uri).predict(frame)["a"]) == [2.0, 4.0]
    assert list(mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(frame)["a"]) == [2.0, 4.0]
    assert list(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(frame)["a"]) == [2.0, 4.0]
    told = client.get_run(run.info.run_id)
    if VERSION < (3, 0):
        assert "mlflow.log-model.history" in told.data.tags
        return
    model = client.get_logged_model(logged.model_id)
    assert (str(model.status), model.source_run_id) == ("READY", run.info.run_id)
    assert [each.model_id for each in told.outputs.model_outputs] == [logged.model_id]
    client.set_logged_model_tags(logged.model_id, {"k": "v", "l": "w"})
    client.delete_logged_model_tag(logged.model_id, "l")
    model = client.get_logged_model(logged.model_id)
    assert model.tags["k"] == "v" and "l" not in model.tags and "mlflow.modelVersions" in model.tags
    with mlflow.start_run() as second:
        mlflow.log_metric("score", 0.75, model_id=logged.model_id)
    model = client.get_logged_model(logged.model_id)
    assert [(each.key, each.value, each.run_id) for each in model.metrics if each.key == "score"] == [
        ("score", 0.75, second.info.run_id)
    ]
    external = mlflow.initialize_logged_model(
        name="outside", params={f"p{number}": str(number) for number in range(250)}, tags={"a": "b"}
    )
    assert str(external.status) == "PENDING" and external.params["p249"] == "249"
    assert str(mlflow.finalize_logged_model(external.model_id, "READY").status) == "READY"
    experiment = client.get_experiment_by_name(named("models")).experiment_id
    for text, hits in (
        ("", 2),
        ("name = 'outside'", 1),
        ("tags.a = 'b'", 1),
        ("params.p3 = '3'", 1),
        ("metrics.score > 0.5", 1),
        ("metrics.score > 0.8", 0),
    ):
        assert len(client.search_logged_models([experiment], filter_string=text)) == hits, text
    best = client.search_logged_models(
        [experiment], order_by=[{"field_name": "metrics.score", "ascending": False}]
    )
    assert best[0].model_id == logged.model_id
    first = client.search_logged_models([experiment], max_results=1)
    assert len(first) == 1 and first.token
    client.delete_logged_model(external.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, external.model_id)


def registry() -> None:
    client = MlflowClient()
    name, experiment = named("registered"), client.create_experiment(named("registry"))
    run = client.create_run(experiment)
    source = f"{run.info.artifact_uri}/model"
    made = client.create_registered_model(name, tags={"a": "b"}, description="what it is")
    assert (made.name, made.description, made.tags) == (name, "what it is", {"a": "b"})
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, name)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, named("none"))
    client.update_registered_model(name, "what it is now")
    client.set_registered_model_tag(name, "c", "d")
    client.delete_registered_model_tag(name, "a")
    found = client.get_registered_model(name)
    assert (found.description, found.tags) == ("what it is now", {"c": "d"})
    for number in ("1", "2", "3"):
        version = client.create_model_version(name, source, run.info.run_id, tags={"n": number})
        assert (str(version.version), version.status, version.current_stage) == (number, "READY", "None")
        assert (version.run_id, version.source) == (run.info.run_id, source)
    refused("RESOURCE_DOES_NOT_EXIST", client.create_model_version, named("none"), source, run.info.run_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, name, "9")
    client.update_model_version(name, "1", "the first")
    client.set_model_version_tag(name, "1", "k", "v")
    client.delete_model_version_tag(name, "1", "n")
    found = client.get_model_version(name, "1")
    assert (found.description, found.tags) == ("the first", {"k": "v"})
    assert client.get_model_version_download_uri(name, "1") == source
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
    stages = {
        str(each.version): each.current_stage for each in client.search_model_versions(f"name='{name}'")
    }
    assert stages == {"1": "Archived", "2": "Production", "3": "None"}
    refused("INVALID_PARAMETER_VALUE", client.transition_model_version_stage, name, "1", "nowhere")
    latest = {each.current_stage: str(each.version) for each in client.get_latest_versions(name)}
    assert latest == {"Archived": "1", "Production": "2", "None": "3"}
    assert [str(each.version) for each in client.get_latest_versions(name, ["Production"])] == ["2"]
    if VERSION >= (2, 3):
        client.set_registered_model_alias(name, "champion", "2")
        assert str(client.get_model_version_by_alias(name, "champion").version) == "2"
        client.set_registered_model_alias(name, "champion", "3")
        assert str(client.get_model_version_by_alias(name, "champion").version) == "3"
        assert client.get_registered_model(name).aliases == {"champion": "3"}
        assert client.get_model_version(name, "3").aliases == ["champion"]
        refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "nobody")
        for alias in ("latest", "v1", "a b", ""):
            refused("INVALID_PARAMETER_VALUE", client.set_registered_model_alias, name, alias, "1")
        client.delete_registered_model_alias(name, "champion")
        refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "champion")
    if VERSION >= (2, 0):
        copied = client.copy_model_version(f"models:/{name}/1", named("copied"))
        assert (copied.source, str(copied.version)) == (f"models:/{name}/1", "1")
        assert client.get_model_version_download_uri(named("copied"), "1") == source
        client.delete_registered_model(named("copied"))
    assert [each.name for each in client.search_registered_models(f"name = '{name}'")] == [name]
    last, *_ = client.search_registered_models(f"name LIKE '%{UNIQUE}'", order_by=["name DESC"])
    assert last.name == name
    assert len(client.search_model_versions(f"run_id = '{run.info.run_id}'")) == 3
    client.delete_model_version(name, "3")
    again = client.create_model_version(name, source, run.info.run_id)
    assert int(again.version) in (3, 4)
    client.rename_registered_model(name, named("changed"))
    assert client.get_model_version(named("changed"), "1").description == "the first"
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name)
    client.delete_registered_model(named("changed"))
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, named("changed"))


def multipart() -> None:
    """Whether a server takes parts or not, what went up comes down; clients before 2.10 send no parts."""
    client = MlflowClient()
    mlflow.set_experiment(named("multipart"))
    content = os.urandom(700_001)
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        for name in ("large é.bin", "small.bin"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content if name != "small.bin" else b"small")
        mlflow.log_artifacts(folder, "parts/of it")
        mlflow.log_artifact(os.path.join(folder, "large é.bin"))
        run_id = run.info.run_id
    listed = {each.path: each.file_size for each in client.list_artifacts(run_id, "parts/of it")}
    assert listed == {"parts/of it/large é.bin": len(content), "parts/of it/small.bin": 5}
    with tempfile.TemporaryDirectory() as folder:
        for path in ("parts/of it/large é.bin", "large é.bin"):
            with open(client.download_artifacts(run_id, path, folder), "rb") as file:
                assert file.read() == content


def _traced() -> Any:
    """A trace of two spans, in a run."""

    def inner(value: int) -> int:
        return value * 2

    def outer(value: int) -> Any:
        return traced(value) + 1

    traced = mlflow.trace(inner, span_type="TOOL", attributes={"list": [1, "x", None]})
    with mlflow.start_run() as run:
        assert mlflow.trace(outer)(5) == 11
        if VERSION >= (3, 0):
            mlflow.flush_trace_async_logging()
    return mlflow.get_trace(mlflow.get_last_active_trace_id()), run.info.run_id


def _id_of(trace: Any) -> str:
    return str(trace.info.trace_id if VERSION >= (3, 0) else trace.info.request_id)


def traces() -> None:
    if VERSION < (2, 22) or (3, 0) <= VERSION < (3, 4):
        return
    experiment = mlflow.set_experiment(named("traces")).experiment_id
    client = MlflowClient()
    trace, run_id = _traced()
    trace_id = _id_of(trace)
    assert [(span.name, span.inputs, span.outputs) for span in trace.data.spans] == [
        ("outer", {"value": 5}, 11),
        ("inner", {"value": 5}, 10),
    ]
    assert trace.data.spans[1].attributes["list"] == [1, "x", None]
    assert trace.data.spans[1].parent_id == trace.data.spans[0].span_id
    assert str(trace.info.status).rpartition(".")[2] == "OK"
    assert trace.info.timestamp_ms > 0 and trace.info.execution_time_ms >= 0
    assert trace.info.request_metadata["mlflow.sourceRun"] == run_id
    assert trace.info.tags["mlflow.traceName"] == "outer"
    client.set_trace_tag(trace_id, "k", "v")
    assert mlflow.get_trace(trace_id).info.tags["k"] == "v"
    for text, hits in (
        ("", 1),
        ("attributes.status = 'OK'", 1),
        ("attributes.status = 'ERROR'", 0),
        ("tags.k = 'v'", 1),
        ("tags.k = 'w'", 0),
        ("attributes.name = 'outer'", 1),
        (f"metadata.`mlflow.sourceRun` = '{run_id}'", 1),
        ("attributes.timestamp_ms > 99999999999999", 0),
    ):
        assert len(client.search_traces(experiment_ids=[experiment], filter_string=text)) == hits, text
    client.delete_trace_tag(trace_id, "k")
    assert "k" not in mlflow.get_trace(trace_id).info.tags
    (whole,) = client.search_traces(experiment_ids=[experiment])
    assert [span.name for span in whole.data.spans] == ["outer", "inner"]
    frame = mlflow.search_traces(experiment_ids=[experiment], run_id=run_id)
    assert len(frame) == 1
    second = _id_of(_traced()[0])
    assert len(client.search_traces(experiment_ids=[experiment])) == 2
    first = client.search_traces(experiment_ids=[experiment], max_results=1)
    assert _id_of(first[0]) == second and first.token
    assert client.delete_traces(experiment_id=experiment, **{_NAMES: [trace_id]}) == 1
    assert [_id_of(each) for each in client.search_traces(experiment_ids=[experiment])] == [second]
    refused("RESOURCE_DOES_NOT_EXIST", client.delete_trace_tag, trace_id, "a")
    until = int(time.time() * 1000) + 60_000
    assert client.delete_traces(experiment_id=experiment, max_timestamp_millis=until, max_traces=1) == 1
    assert client.search_traces(experiment_ids=[experiment]) == []


_NAMES = "trace_ids" if VERSION >= (3, 0) else "request_ids"


def assessments() -> None:
    if VERSION < (3, 4):
        return
    mlflow.set_experiment(named("assessments"))
    trace_id = _id_of(_traced()[0])
    person = import_module("mlflow.entities").AssessmentSource(source_type="HUMAN", source_id="ada")
    good = mlflow.log_feedback(
        trace_id=trace_id, name="good", value=True, source=person, rationale="it is", metadata={"a": "b"}
    )
    for value in (0.5, "text", [1, "x"], {"k": "v"}):
        mlflow.log_feedback(trace_id=trace_id, name="other", value=value)
    failed = mlflow.log_feedback(trace_id=trace_id, name="failed", error=ValueError("no judge"))
    wanted = mlflow.log_expectation(trace_id=trace_id, name="answer", value={"is": 11}, source=person)
    told = {each.assessment_id: each for each in mlflow.get_trace(trace_id).info.assessments}
    assert len(told) == 7 and None not in told
    found = told[good.assessment_id]
    assert (found.name, found.value, found.rationale, found.metadata) == ("good", True, "it is", {"a": "b"})
    assert (found.source.source_type, found.source.source_id, found.valid) == ("HUMAN", "ada", True)
    assert told[failed.assessment_id].error.error_message == "no judge"
    assert told[wanted.assessment_id].value == {"is": 11}
    assert [each.value for each in told.values() if each.name == "other"] == [
        0.5,
        "text",
        [1, "x"],
        {"k": "v"},
    ]
    entities = import_module("mlflow.entities")
    changed = entities.Feedback(name="better", value="no", rationale="it is not", metadata={"c": "d"})
    mlflow.update_assessment(trace_id, good.assessment_id, changed)
    found = mlflow.get_assessment(trace_id, good.assessment_id)
    assert (found.name, found.value, found.rationale) == ("better", "no", "it is not")
    assert found.metadata == {"a": "b", "c": "d"} and found.create_time_ms == good.create_time_ms
    over = mlflow.override_feedback(
        trace_id=trace_id, assessment_id=good.assessment_id, value="yes", source=person
    )
    assert over.overrides == good.assessment_id
    assert not mlflow.get_assessment(trace_id, good.assessment_id).valid
    mlflow.delete_assessment(trace_id, over.assessment_id)
    assert mlflow.get_assessment(trace_id, good.assessment_id).valid
    mlflow.delete_assessment(trace_id, over.assessment_id)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_assessment, trace_id, over.assessment_id)
    refused("INVALID_PARAMETER_VALUE", mlflow.update_assessment, trace_id, wanted.assessment_id, changed)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.log_feedback, trace_id="tr-none", name="x", value=1)


PARTS = (
    experiments,
    runs,
    logging,
    datasets,
    artifacts,
    multipart,
    searching,
    models,
    registry,
    traces,
    assessments,
)


def main(parts: Sequence[Callable[[], None]] = PARTS) -> int:
    """Goes through every part, whatever became of the one before; the exit code is how many failed."""
    asked, failed = sys.argv[1:], 0
    for part in parts:
        if asked and part.__name__ not in asked:
            continue
        start, outcome = time.time(), "passed"
        try:
            part()
        except Exception:
            traceback.print_exc()
            failed, outcome = failed + 1, "failed"
        sys.stdout.write(f"{part.__name__} {outcome} {time.time() - start:.1f}\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main())
