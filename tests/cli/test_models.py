"""Models shown, asked and served by every address that they have, in their own environments."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.cli.conftest import COMMAND, LOCAL, Answer, Mlproj, single
from tests.conftest import ProjectMaker, commit_all
from tests.mlflow_clients import QUIET, ClientPython
from tests.mlflow_servers import mlflow_server
from tests.scoring.servers import started, told_address
from tests.server.hosted import hosted

PROJECT = """\
name: wine
entry_points:
  main:
    command: "python train.py"
    inputs: [data.csv]
    outputs:
      - report.txt
      - {path: model.joblib, model: true}
  score:
    parameters: {model: path}
    command: "ls {model}"
"""

DATA = "a,b,y\n1,1,1\n2,2,2\n3,3,3\n4,5,5\n"

TRAIN = """\
import joblib, mlflow, mlflow.sklearn, pandas
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

frame = pandas.read_csv("data.csv")
rows = frame[["a", "b"]].astype(float)
model = LinearRegression().fit(rows, frame["y"])
joblib.dump(model, "model.joblib")
open("report.txt", "w").write("fine")
mlflow.log_metric("rmse", 0.5)
mlflow.sklearn.log_model(
    model, name="model", signature=infer_signature(rows, model.predict(rows)), registered_model_name="wine",
    pip_requirements=["mlflow", "pandas", "scikit-learn"],
)
client = mlflow.MlflowClient()
client.set_registered_model_alias("wine", "champion", 1)
client.transition_model_version_stage("wine", 1, "Production")
"""

PLAIN = """\
import pickle, sys
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 5.0]], [1.0, 2.0, 3.0, 5.0])
with open("model.pkl", "wb") as file:
    pickle.dump(model, file)
"""

ROWS = {"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 1.0], [4.0, 5.0]]}}


@dataclass(frozen=True)
class Shop:
    """A store with a run whose script logged and registered a model, and how commands are called there."""

    folder: Path
    run_id: str

    def call(self, *arguments: str | Path, given: str = "", **variables: str) -> Answer:
        environ = {**os.environ, "MLPROJ_STORE": str(self.folder / "store"), **QUIET, **variables}
        done = subprocess.run(
            (*COMMAND, *map(str, arguments)),
            cwd=self.folder / "project",
            env=environ,
            input=given.encode(),
            capture_output=True,
            timeout=300,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def path_of_mlflow(client_python: ClientPython) -> str:
    """A PATH on which `python` has mlflow."""
    return os.pathsep.join((str(client_python("3").parent), os.environ["PATH"]))


@pytest.fixture(scope="module")
def shop(path_of_mlflow: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    project = folder / "project"
    project.mkdir()
    for name, text in {"MLproject": PROJECT, "train.py": TRAIN, "data.csv": DATA}.items():
        (project / name).write_text(text)
    commit_all(project)
    shop = Shop(folder=folder, run_id="")
    answer = shop.call("run", ".", *LOCAL, "--run-name", "first", PATH=path_of_mlflow)
    assert answer.code == 0, answer.stderr
    run_id = shop.call("show", "first", "--json").document["run_id"]
    return Shop(folder=folder, run_id=run_id)


def test_a_model_is_shown_with_what_it_takes_and_where_it_is_from(shop: Shop) -> None:
    run = shop.call("show", "first", "--json").document
    (model_id,) = {model["model_id"] for model in run["models"] if model["model_id"]}
    addresses = (
        *(f"runs:/{shop.run_id}/model", f"models:/{model_id}", "models:/wine", "models:/wine/1"),
        *(
            "models:/wine/latest",
            "models:/wine@champion",
            "models:/wine/Production",
            "models:/wine/production",
        ),
    )
    shown = [shop.call("models", "show", address, "--json").document for address in addresses]
    first = shown[0]
    assert {one["digest"] for one in shown} == {first["digest"]} and first["kind"] == "mlflow"
    assert first["flavors"].keys() == {"python_function", "sklearn"}
    assert [column["name"] for column in first["signature"]["inputs"]] == ["a", "b"]
    for one in shown:
        assert one["run"]["run_id"] == shop.run_id and one["run"]["record"] == run["record"]
        assert [data["digest"] for data in one["inputs"]] == [run["inputs"][0]["digest"]]
        (version,) = one["versions"]
        assert (version["name"], version["stage"], version["aliases"]) == ("wine", "Production", ["champion"])
    page = shop.call("models", "show", "models:/wine/1").stdout
    for told in ("a: double", "rmse 0.5", "data.csv", "`wine` version 1, alias `champion`, stage Production"):
        assert told in page


def test_an_output_that_is_marked_is_a_model_too(shop: Shop) -> None:
    run = shop.call("show", "first", "--json").document
    assert {output["path"]: output["model"] for output in run["outputs"] if output["declared"]} == {
        "report.txt": False,
        "model.joblib": True,
    }
    assert "model.joblib" in [model["name"] for model in run["models"]]
    by_path = shop.call("models", "show", "model.joblib", "--json").document
    by_run = shop.call("models", "show", "runs:/first/model.joblib", "--json").document
    assert by_path["digest"] == by_run["digest"] and by_path["kind"] == by_run["kind"] == "file"
    assert by_path["run"] == by_run["run"] and by_path["run"]["run_id"] == shop.run_id
    assert by_path["environment"]["lock"] == run["environment"]["lock"]


def test_every_way_to_name_a_model_scores_alike(shop: Shop, path_of_mlflow: str) -> None:
    rows = json.dumps(ROWS)
    for address in ("models:/wine@champion", f"runs:/{shop.run_id}/model", "model.joblib"):
        answer = shop.call("models", "predict", address, *LOCAL, given=rows, PATH=path_of_mlflow)
        assert answer.code == 0, answer.stderr
        assert json.loads(answer.stdout)["predictions"] == pytest.approx([1.0, 5.0])
    (shop.folder / "rows.csv").write_text("a,b\n4,5\n")
    files = ("-i", "../rows.csv", "-o", "../scored.json")
    answer = shop.call("models", "predict", "-m", "models:/wine/1", *LOCAL, *files, PATH=path_of_mlflow)
    assert (answer.code, answer.stdout) == (0, ""), answer.stderr
    assert json.loads((shop.folder / "scored.json").read_text())["predictions"] == pytest.approx([5.0])
    lacking = shop.call(
        *("models", "predict", "models:/wine/1", *LOCAL, "-t", "csv"), given="a\n4\n", PATH=path_of_mlflow
    )
    assert lacking.code == 3 and "Model is missing inputs ['b']" in lacking.stderr


def test_a_parameter_may_name_a_registered_model(shop: Shop) -> None:
    answer = shop.call("run", ".", "-e", "score", *LOCAL, "-P", "model=models:/wine@champion")
    assert answer.code == 0 and "MLmodel" in answer.stdout, answer.stderr


@contextlib.contextmanager
def serving(shop: Shop, *arguments: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address that `mlproj models serve` tells, and its process."""
    log = shop.folder / "serve.log"
    command = (*COMMAND, "models", "serve", *arguments, "--port", "0")
    store = str(shop.folder / "store")
    with started(command, log, folder=shop.folder / "project", MLPROJ_STORE=store, **variables) as process:
        yield told_address(process, log), process


def test_a_model_is_served_in_its_own_environment(shop: Shop) -> None:
    with serving(shop, "models:/wine/Production") as (address, process):
        with urllib3.PoolManager() as pool:
            told = pool.request("POST", f"{address}/invocations", json=ROWS)
            assert told.json()["predictions"] == pytest.approx([1.0, 5.0])
            wrong = {"dataframe_split": {"columns": ["a", "b"], "data": [["word", 1.0]]}}
            refused = pool.request("POST", f"{address}/invocations", json=wrong)
            assert refused.status == 400 and "Failed to convert column a" in refused.json()["message"]
        environments = shop.call("env", "list", "--json").document["environments"]
        assert [one["in_use"] for one in environments].count(True) == 1
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert below and not [one for one in below if one.is_running()]


def test_a_file_of_a_run_is_served_with_the_lock_of_that_run(
    tmp_path: Path, shop: Shop, path_of_mlflow: str
) -> None:
    project = shop.folder / "plain"
    project.mkdir()
    (project / "train.py").write_text(PLAIN)
    (project / "python_env.yaml").write_text("dependencies: [scikit-learn]\n")
    (project / "MLproject").write_text(
        "python_env: python_env.yaml\nentry_points: {main: {command: python train.py,"
        " outputs: [{path: model.pkl, model: true}]}}\n"
    )
    commit_all(project)
    answer = shop.call("run", str(project), "--run-name", "plain")
    assert answer.code == 0, answer.stderr
    run = shop.call("show", "plain", "--json").document
    (project / "model.pkl").unlink()
    rows = json.dumps({"inputs": [[1.0, 1.0], [4.0, 5.0]]})
    scored = shop.call("models", "predict", f"runs:/{run['run_id']}/model.pkl", given=rows)
    assert scored.code == 0, scored.stderr
    assert json.loads(scored.stdout)["predictions"] == pytest.approx([1.0, 5.0])
    assert "resolving" not in scored.stderr
    refused = shop.call("models", "predict", f"runs:/{run['run_id']}/model.pkl", given='{"inputs": [[1.0]]}')
    assert refused.code == 3 and "the model takes 2 columns, and the input has 1" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("show", "nothing-here"), 3, "there is no model `nothing-here`"),
        (("show", "."), 3, "is a folder without `MLmodel`"),
        (("show", "models:/wine/7"), 5, "wine"),
        (("show", "models:/wine/Staging"), 5, "has no version in the stage Staging"),
        (("show", "models:/wine/Sideways"), 2, "neither a version nor a stage"),
        (("show", "models:/wine@nobody"), 5, "nobody"),
        (("show", "runs:/0123/model"), 5, "0123"),
        (("show",), 2, "one model is to be named"),
        (("show", "a", "-m", "b"), 2, "one model is to be named"),
        (("predict", "train.py", *LOCAL), 4, "the model cannot be loaded"),
        (("predict", "models:/wine/1", "-t", "xml"), 2, "json or csv"),
        (("serve", "models:/wine/1", "--max-body", "much"), 2, "is no size"),
    ],
)
def test_what_is_no_model_is_told_in_a_sentence(
    arguments: tuple[str, ...], code: int, told: str, shop: Shop
) -> None:
    answer = shop.call("models", *arguments)
    assert answer.code == code and told in answer.stderr, answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_port_that_is_taken_is_said_so(shop: Shop, path_of_mlflow: str) -> None:
    with serving(shop, "model.joblib", *LOCAL, PATH=path_of_mlflow) as (address, _):
        port = address.rpartition(":")[2]
        answer = shop.call("models", "serve", "model.joblib", *LOCAL, "--port", port, PATH=path_of_mlflow)
    assert answer.code == 2 and f"`127.0.0.1:{port}` cannot be listened at" in answer.stderr


def test_a_model_that_is_not_what_its_run_left_is_shown_with_that(shop: Shop, tmp_path: Path) -> None:
    store = shutil.copytree(shop.folder / "store", tmp_path / "store", symlinks=True)
    clean = shop.call("models", "show", "models:/wine/1", "--store", str(store))
    assert clean.code == 0 and "is not what its run" not in clean.stderr
    (model,) = store.glob("models/*/artifacts/MLmodel")
    model.write_text(f"{model.read_text()}# more\n")
    shown = shop.call("models", "show", "models:/wine/1", "--store", str(store))
    assert shown.code == 0 and "is not what its run `first` left: the record has sha256:" in shown.stderr


def test_models_at_a_server_are_found_by_the_same_addresses(
    shop: Shop, client_python: ClientPython, path_of_mlflow: str, tmp_path: Path
) -> None:
    """Of MLflow's own server, which has no part in our store."""
    (tmp_path / "data.csv").write_text(DATA)
    with mlflow_server(client_python("3"), tmp_path) as uri:
        variables = {**os.environ, **QUIET, "MLFLOW_TRACKING_URI": uri}
        subprocess.run((client_python("3"), "-c", TRAIN), cwd=tmp_path, env=variables, check=True)
        for address in ("models:/wine@champion", "models:/wine/1", "models:/wine/production", "models:/wine"):
            shown = shop.call("models", "show", address, "--json", MLFLOW_TRACKING_URI=uri).document
            assert [column["name"] for column in shown["signature"]["inputs"]] == ["a", "b"]
        assert shown["run"] is None and shown["run_id"] not in (None, shop.run_id)
        by_run = shop.call(
            "models", "show", f"runs:/{shown['run_id']}/model", "--json", MLFLOW_TRACKING_URI=uri
        )
        assert by_run.document["digest"] == shown["digest"]
        missing = shop.call("models", "show", "models:/wine/Staging", MLFLOW_TRACKING_URI=uri)
        assert missing.code == 5 and "no version in the stage Staging" in missing.stderr


@contextlib.contextmanager
def place_of(kind: str, folder: Path) -> Iterator[str]:
    """Where a store is, as `--store` has it: in a folder, or at a server."""
    if kind == "folder":
        yield str(folder / "store")
    else:
        with hosted(folder, "--backend-store-uri", str(folder / "store")) as server:
            yield server.uri


@pytest.mark.parametrize("kind", ["folder", "server"])
def test_a_run_stays_as_long_as_a_registered_model_is_made_of_its_output(
    kind: str, mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    outputs = "[{path: left/model.txt, model: true}]"
    project = make_project(
        {"MLproject": single("'mkdir left; echo weights > left/model.txt'", outputs=outputs)}
    )
    with place_of(kind, tmp_path) as store:

        def there(*arguments: str) -> Answer:
            answer = mlproj(*arguments, variables={"MLPROJ_STORE": store})
            assert answer.code == 0, answer.stderr
            return answer

        there("run", str(project), *LOCAL, "--run-name", "first")
        there("models", "add", "file", "runs:/first/left/model.txt")
        there("models", "add", "folder", "runs:/first/left")
        digest = there("models", "show", "models:/file/1", "--json").document["digest"]
        pruned = there("prune", "--keep-last", "0", "--grace", "0")
        assert "0 runs and" in pruned.stderr and "are made of what they left: `first`" in pruned.stderr
        assert [run["name"] for run in there("runs", "--json").document["runs"]] == ["first"]
        there("rm", "first")
        for name in ("folder", "file"):
            left = there("gc", "--grace", "0", "--json").document
            assert [run["name"] for run in left["kept"]] == ["first"] and left["runs"] == []
            assert there("models", "show", "models:/file/1", "--json").document["digest"] == digest
            there("models", "delete", name, "--all-versions")
        gone = there("gc", "--grace", "0", "--json").document
        assert [run["name"] for run in gone["runs"]] == ["first"] and gone["kept"] == []
        there("verify")
