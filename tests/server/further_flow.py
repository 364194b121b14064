"""What MLflow's users call besides what `flow` goes through: pictures and tables, models that log
themselves, points that are sent later, logged models by hand, prompts.

A program of its own, run as `flow` is.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from importlib import import_module
from typing import Any

# Where this file is checked there is none of them.
flow: Any = import_module("flow")
mlflow: Any = import_module("mlflow")
numpy: Any = import_module("numpy")
pandas: Any = import_module("pandas")
figures: Any = import_module("matplotlib.figure")
linear: Any = import_module("sklearn.linear_model")
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

VERSION, named = flow.VERSION, flow.named
FRAME = pandas.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})
PICTURE = numpy.zeros((4, 5, 3), dtype=numpy.uint8)


def pictures() -> None:
    client = MlflowClient()
    mlflow.set_experiment(named("pictures"))
    figure = figures.Figure()
    figure.subplots().plot([1, 2, 3])
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        run_id = run.info.run_id
        with open(os.path.join(folder, "file.txt"), "w") as file:
            file.write("x")
        mlflow.log_figure(figure, "plots/figure.png")
        mlflow.log_image(PICTURE, "picture.png")
        client.log_figure(run_id, figure, "again.svg")
        client.log_image(run_id, PICTURE, "again.png")
        client.log_text(run_id, "text", "text.txt")
        client.log_dict(run_id, {"a": 1}, "dict.yaml")
        client.log_artifact(run_id, file.name)
        client.log_artifacts(run_id, folder, "whole")
    sizes = {each.path: each.file_size for each in client.list_artifacts(run_id)}
    assert (sizes["text.txt"], sizes["dict.yaml"], sizes["file.txt"]) == (4, 5, 1)
    assert sizes["picture.png"] == sizes["again.png"] and sizes["again.svg"]
    assert [each.path for each in client.list_artifacts(run_id, "plots")] == ["plots/figure.png"]
    assert [each.path for each in client.list_artifacts(run_id, "whole")] == ["whole/file.txt"]


def tables() -> None:
    if VERSION < (2, 11):
        return
    client = MlflowClient()
    mlflow.set_experiment(named("tables"))
    with mlflow.start_run() as run:
        run_id = run.info.run_id
        mlflow.log_table(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "table.json")
        mlflow.log_table({"a": [3], "b": ["z"]}, "table.json")
        client.log_table(run_id, {"a": [1]}, "own.json")
        for step in range(2):
            mlflow.log_image(PICTURE, key="seen", step=step)
        mlflow.flush_artifact_async_logging()
        if VERSION >= (3, 5):
            mlflow.log_stream(io.BytesIO(b"streamed"), "stream.bin")
            client.log_stream(run_id, io.BytesIO(b"more"), "more.bin")
    assert list(mlflow.load_table("table.json", run_ids=[run_id])["a"]) == [1, 2, 3]
    found = client.load_table(run.info.experiment_id, "table.json", run_ids=[run_id])
    assert list(found["b"]) == ["x", "y", "z"]
    told = client.get_run(run_id).data.tags["mlflow.loggedArtifacts"]
    assert "table.json" in told and "own.json" in told
    assert len(client.list_artifacts(run_id, "images")) == 4
    if VERSION >= (3, 5):
        sizes = {each.path: each.file_size for each in client.list_artifacts(run_id)}
        assert (sizes["stream.bin"], sizes["more.bin"]) == (8, 4)


def automatic() -> None:
    client = MlflowClient()
    mlflow.set_experiment(named("automatic"))
    mlflow.sklearn.autolog()
    with mlflow.start_run() as run:
        linear.LinearRegression().fit(FRAME, [1.0, 2.0, 3.0, 4.1])
    mlflow.sklearn.autolog(disable=True)
    assert mlflow.last_active_run().info.run_id == run.info.run_id
    told = client.get_run(run.info.run_id).data
    assert told.params["fit_intercept"] == "True"
    assert {"training_root_mean_squared_error", "training_rmse"} & set(told.metrics)
    assert told.tags["estimator_name"] == "LinearRegression"
    uri = f"runs:/{run.info.run_id}/model"
    assert len(mlflow.pyfunc.load_model(uri).predict(FRAME)) == 4
    version = mlflow.register_model(uri, named("automatic"))
    assert (str(version.version), version.run_id) == ("1", run.info.run_id)
    assert "Production" in client.get_model_version_stages(named("automatic"), "1")
    _registered(named("automatic"), run)
    client.delete_registered_model(named("automatic"))


def _registered(name: str, run: Any) -> None:
    """The ways to find it that a line has."""
    client, experiment = MlflowClient(), run.info.experiment_id
    if VERSION >= (2, 1):
        (found,) = mlflow.search_registered_models(filter_string=f"name = '{name}'")
        (version,) = mlflow.search_model_versions(filter_string=f"name = '{name}'")
        assert (found.name, version.run_id) == (name, run.info.run_id)
        return
    assert name in [each.name for each in client.list_registered_models()]
    for who in (client, mlflow):
        assert name in [each.name for each in who.list_experiments()]
        assert run.info.run_id in [each.run_id for each in who.list_run_infos(experiment)]


def fluently() -> None:
    client = MlflowClient()
    experiment = mlflow.set_experiment(named("fluently")).experiment_id
    assert mlflow.is_tracking_uri_set() and mlflow.get_tracking_uri() == os.environ["MLFLOW_TRACKING_URI"]
    mlflow.set_experiment_tags({"a": "1", "b": "2"})
    assert mlflow.get_experiment_by_name(named("fluently")).tags.items() >= {"a": "1", "b": "2"}.items()
    if VERSION >= (3, 2):
        mlflow.delete_experiment_tag("a")
        client.delete_experiment_tag(experiment, "b")
        assert not {"a", "b"} & set(mlflow.get_experiment(experiment).tags)
    with mlflow.start_run():
        mlflow.log_metric("loss", 0.5)
        mlflow.log_param("kind", "x")
    found = mlflow.search_runs(experiment_ids=[experiment])
    assert list(found["metrics.loss"]) == [0.5] and list(found["params.kind"]) == ["x"]
    made = mlflow.create_experiment(named("made"))
    mlflow.delete_experiment(made)
    assert mlflow.get_experiment(made).lifecycle_stage == "deleted"
    if VERSION >= (2, 0):
        (only,) = mlflow.search_experiments(filter_string=f"name = '{named('fluently')}'")
        assert only.experiment_id == experiment


def later() -> None:
    if VERSION < (2, 10):
        return
    client = MlflowClient()
    mlflow.set_experiment(named("later"))
    with mlflow.start_run() as run:
        for step in range(50):
            mlflow.log_metric("later", step, step=step, synchronous=False)
        mlflow.log_params({"p": 1}, synchronous=False)
        mlflow.set_tags({"t": 1}, synchronous=False)
        mlflow.flush_async_logging()
        told = client.get_run(run.info.run_id).data
        assert (told.metrics, told.params, told.tags["t"]) == ({"later": 49.0}, {"p": "1"}, "1")
        assert len(client.get_metric_history(run.info.run_id, "later")) == 50
    mlflow.set_system_metrics_sampling_interval(0.1)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(log_system_metrics=True) as run:
        end = time.time() + 30
        while time.time() < end and not client.get_run(run.info.run_id).data.metrics:
            time.sleep(0.2)
    assert "system/cpu_utilization_percentage" in client.get_run(run.info.run_id).data.metrics


def logged_models() -> None:
    if VERSION < (3, 5):
        return
    client = MlflowClient()
    experiment = mlflow.set_experiment(named("logged")).experiment_id
    kept = {"name": "by-hand", "tags": {"a": "b"}, "params": {"x": "1"}, "model_type": "agent"}
    made = client.create_logged_model(experiment, **kept)
    client.log_model_params(made.model_id, {"y": "2"})
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "weights.bin"), "wb") as file:
            file.write(b"abc")
        client.log_model_artifact(made.model_id, file.name)
        client.log_model_artifacts(made.model_id, folder)
    (listed,) = client.list_logged_model_artifacts(made.model_id)
    assert (listed.path, listed.file_size) == ("weights.bin", 3)
    client.finalize_logged_model(made.model_id, "READY")
    told = mlflow.get_logged_model(made.model_id)
    assert (told.params, str(told.status), told.model_type) == ({"x": "1", "y": "2"}, "READY", "agent")
    outside = mlflow.create_external_model(name="outside", params={"q": "1"})
    mlflow.log_model_params({"r": "2"}, outside.model_id)
    mlflow.set_logged_model_tags(outside.model_id, {"k": "v", "l": "w"})
    mlflow.delete_logged_model_tag(outside.model_id, "k")
    told = mlflow.get_logged_model(outside.model_id)
    assert told.params == {"q": "1", "r": "2"} and told.tags["l"] == "w" and "k" not in told.tags
    assert mlflow.last_logged_model().model_id == outside.model_id
    mlflow.set_active_model(name="active")
    active = mlflow.get_active_model_id()
    mlflow.clear_active_model()
    found = mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")
    assert {each.model_id for each in found} == {made.model_id, outside.model_id, active}


def prompts() -> None:
    if VERSION < (3, 5):
        return
    client, name = MlflowClient(), named("prompt")
    mlflow.set_experiment(named("prompts"))
    mlflow.genai.register_prompt(name=name, template="Say {{word}}", tags={"t": "1"})
    mlflow.genai.register_prompt(name=name, template="Shout {{word}}", commit_message="louder")
    assert mlflow.genai.load_prompt(f"prompts:/{name}/1").template == "Say {{word}}"
    mlflow.genai.set_prompt_alias(name, alias="best", version=2)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@best").format(word="hi") == "Shout hi"
    mlflow.genai.delete_prompt_alias(name, "best")
    assert name in [each.name for each in mlflow.genai.search_prompts(f"name = '{name}'")]
    assert client.search_registered_models(f"name = '{name}'") == []
    client.set_prompt_tag(name, "k", "v")
    assert client.get_prompt(name).tags["k"] == "v"
    client.delete_prompt_tag(name, "k")
    client.set_prompt_version_tag(name, "1", "k", "v")
    assert client.get_prompt_version(name, 1).tags["k"] == "v"
    client.delete_prompt_version_tag(name, "1", "k")
    with mlflow.start_run() as run:
        mlflow.genai.load_prompt(f"prompts:/{name}/1")
    assert name in client.get_run(run.info.run_id).data.tags["mlflow.linkedPrompts"]
    flow.refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, name)


PARTS = (pictures, tables, automatic, fluently, later, logged_models, prompts)

if __name__ == "__main__":
    sys.exit(flow.main(PARTS))
