"""Scripts that log by MLflow and know nothing of us: all of it is in their records, with no server set up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.conftest import need
from tests.docs.background import placed
from tests.docs.background import started as started_there
from tests.docs.console import ROOT, perform, sessions
from tests.docs.console import workplace as clone
from tests.examples.workplace import Workplace, workplace
from tests.mlflow_servers import free_port
from tests.scoring.servers import started, told_address
from tests.server.hosted import hosted

__all__ = ["workplace"]

STEPS = ("linear", "xgboost", "ensemble")
PREPROCESSOR = "artifacts/preprocessor/preprocessor.b"


@pytest.fixture(scope="session")
def boosted(workplace: Workplace) -> dict[str, Any]:
    """A run of `xgboost` by itself; whoever comes first has the environment built."""
    return workplace.run("xgboost")


@pytest.fixture(scope="session")
def compared(workplace: Workplace, boosted: dict[str, Any]) -> dict[str, Any]:
    """The pipeline."""
    return workplace.run("compare")


@pytest.fixture(scope="session")
def steps(workplace: Workplace, compared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The runs that the pipeline started, by their entry point."""
    runs = json.loads(workplace.mlproj("runs", "--all", "--json"))["runs"]
    children = [run["run_id"] for run in runs if run["parent"] == compared["run_id"]]
    return {run["entry_point"]: run for run in map(workplace.show, children)}


def test_its_files_are_in_order(workplace: Workplace) -> None:
    workplace.mlproj("check", ".")


def test_the_last_run_is_the_one_that_a_person_began(workplace: Workplace, compared: dict[str, Any]) -> None:
    assert workplace.show("last")["run_id"] == compared["run_id"]


def test_metrics_come_with_their_steps(workplace: Workplace, boosted: dict[str, Any]) -> None:
    shown = workplace.show(boosted["run_id"])
    of_key = {metric["key"]: metric for metric in shown["logged"]["metrics"]}
    validation = of_key["validation_rmse"]
    assert (validation["step"], validation["count"]) == (59, 60)
    assert validation["minimum"] <= validation["value"] < validation["maximum"]
    assert shown["metrics"]["rmse"] == pytest.approx(validation["value"], rel=1e-4)
    points = map(json.loads, workplace.blob(shown["logged"]["history"]).read_text().splitlines())
    assert sorted(point["step"] for point in points if point["key"] == "train_rmse") == list(range(60))


def test_parameters_are_those_given_and_those_logged(boosted: dict[str, Any]) -> None:
    origins = {name: item["origin"] for name, item in boosted["parameters"].items()}
    assert origins == {
        "rounds": "default",
        "learning_rate": "default",
        "max_depth": "default",
        "data": "default",
        "objective": "logged",
        "seed": "logged",
    }
    assert boosted["tags"] == {"model": "xgboost"}


def test_the_run_moves_to_the_experiment_that_the_script_names(boosted: dict[str, Any]) -> None:
    assert boosted["experiment"] == "penguins"


def test_artifacts_and_the_files_of_models_have_digests(
    workplace: Workplace, boosted: dict[str, Any]
) -> None:
    digests = {output["path"]: output["digest"] for output in boosted["outputs"]}
    assert all(output["state"] == "written" for output in boosted["outputs"])
    assert digests[PREPROCESSOR] == _sha256(workplace.project / "models" / "preprocessor.b")
    (model,) = boosted["logged"]["models"]
    names = {path.rpartition("/")[2] for path in digests if path.startswith(f"models/{model['model_id']}/")}
    assert names >= {"MLmodel", "model.ubj", "input_example.json", "requirements.txt", "python_env.yaml"}
    assert all(_sha256(workplace.blob(digest)) == digest for digest in digests.values())


def test_a_models_file_is_got_from_the_store(
    workplace: Workplace, boosted: dict[str, Any], tmp_path: Path
) -> None:
    model = _output(boosted, "model.ubj")
    workplace.mlproj("artifacts", boosted["run_id"], "get", model["path"], "--to", str(tmp_path))
    (got,) = (path for path in tmp_path.rglob("*.ubj"))
    assert _sha256(got) == model["digest"]


def test_the_table_is_an_input(boosted: dict[str, Any]) -> None:
    (dataset,) = boosted["logged"]["datasets"]
    assert json.loads(dataset["source"]) == {"uri": "data/penguins.csv"}
    assert dataset["tags"] == [["mlflow.data.context", "training"]]


def test_what_the_scripts_leave_is_no_change_of_the_source(
    boosted: dict[str, Any], compared: dict[str, Any]
) -> None:
    assert boosted["source"]["dirty"] is compared["source"]["dirty"] is False
    assert boosted["notes"] == compared["notes"] == []


def test_the_pipelines_steps_are_its_children(
    compared: dict[str, Any], steps: dict[str, dict[str, Any]]
) -> None:
    assert tuple(steps) == tuple(reversed(STEPS)), "newest first"
    for step in steps.values():
        assert (step["status"], step["experiment"]) == ("FINISHED", "penguins")
        assert step["parameters"]["data"]["origin"] == "given"
    assert (compared["parent"], compared["experiment"]) == (None, "Default")


def test_the_pipeline_finds_the_best_and_loads_what_it_registered(
    compared: dict[str, Any], steps: dict[str, dict[str, Any]]
) -> None:
    best = min(steps.values(), key=lambda step: step["metrics"]["rmse"])
    assert compared["tags"] == {"best": best["entry_point"]}
    for name in ("rmse", "mae", "r2"):
        assert compared["metrics"][name] == pytest.approx(best["metrics"][name], rel=1e-5)


def test_autologging_is_taken_in(steps: dict[str, dict[str, Any]]) -> None:
    linear = steps["linear"]
    assert linear["tags"]["estimator_name"] == "Ridge"
    assert linear["parameters"]["solver"] == {"value": "auto", "type": "logged", "origin": "logged"}
    assert linear["parameters"]["alpha"] == {**linear["parameters"]["alpha"], "value": 1.0, "type": "float"}
    assert linear["metrics"]["training_r2_score"] == pytest.approx(0.87, abs=0.05)
    assert _output(linear, "model.pkl")["size"] > 0


def test_a_registered_model_does_not_stop_a_run(steps: dict[str, dict[str, Any]]) -> None:
    assert _output(steps["ensemble"], "model.pkl")["size"] > 0
    assert _output(steps["ensemble"], "importances.json")["path"] == "artifacts/importances.json"


def test_a_step_learns_what_the_entry_point_by_itself_learns(
    boosted: dict[str, Any], steps: dict[str, dict[str, Any]]
) -> None:
    step = steps["xgboost"]
    assert step["metrics"] == boosted["metrics"]
    assert _output(step, "model.ubj")["digest"] == _output(boosted, "model.ubj")["digest"]


def test_runs_are_ranked_by_a_metric(workplace: Workplace, steps: dict[str, dict[str, Any]]) -> None:
    found = json.loads(workplace.mlproj("runs", "--sort", "metrics.rmse", "--all", "--json"))["runs"]
    values = [run["metrics"]["rmse"] for run in found]
    assert len(values) == len(STEPS) + 2
    assert values == sorted(values)
    where = ("--experiment-name", "penguins", "--where", "tags.model = xgboost")
    boosting = json.loads(workplace.mlproj("runs", *where, "--json"))["runs"]
    assert [run["entry_point"] for run in boosting] == ["xgboost", "xgboost"]


def test_everything_recorded_verifies(workplace: Workplace, compared: dict[str, Any]) -> None:
    workplace.mlproj("verify")


def test_the_project_still_runs_by_mlflow(
    workplace: Workplace, steps: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    bin_folder = workplace.bin_folder(steps["linear"])
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environ = {**workplace.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        (bin_folder / "mlflow", "run", workplace.project, "-e", "linear", "--env-manager", "local"),
        cwd=tmp_path,
        env={**environ, "MLFLOW_TRACKING_URI": uri},
        check=True,
        capture_output=True,
    )
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    logged = dict(connection.execute("SELECT key, value FROM latest_metrics"))
    connection.close()
    ours = steps["linear"]["metrics"]
    assert {key: logged[key] for key in ours} == pytest.approx(ours)


def _output(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        output for output in document["outputs"] if output["path"].rpartition("/")[2] == name
    )
    return found


def _sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_each_model_is_shown_with_its_run_and_its_data(
    workplace: Workplace, steps: dict[str, dict[str, Any]]
) -> None:
    for step in STEPS:
        address = f"runs:/{steps[step]['run_id']}/model"
        shown = json.loads(workplace.mlproj("models", "show", address, "--json"))
        assert shown["run"]["record"] == steps[step]["record"]
        datasets = {data["digest"] for data in steps[step]["logged"]["datasets"]}
        assert datasets and {data["digest"] for data in shown["datasets"]} == datasets
        assert "python_function" in shown["flavors"]
        assert {column["name"] for column in shown["signature"]["inputs"]} > {"bill_length_mm", "sex_male"}


SERVED = {
    "linear": "models:/penguin-linear/Production",
    "xgboost": "models:/penguin-xgboost@champion",
    "ensemble": "models:/penguin-ensemble/2",
    "blend": "models:/penguin-blend",
}
"""What is served, each by another kind of address; the ensemble was registered by its script, too."""
JSON = {"content-type": "application/json"}


def test_its_models_go_from_the_registry_into_service(
    workplace: Workplace, steps: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """MLflow's client registers, moves and asks them at a server of ours; what is served answers alike, also
    the model that has the registry tell it two others."""
    with contextlib.ExitStack() as held:
        options = ("--backend-store-uri", str(workplace.store), "--workers", "2")
        server = held.enter_context(hosted(tmp_path, *options)).uri
        found = _flow(workplace, steps, server)
        rows = tmp_path / "birds.json"
        rows.write_text(json.dumps({"dataframe_split": found["birds"]}))
        address, file = SERVED["linear"], ("-i", str(rows))
        scored = json.loads(workplace.mlproj("models", "predict", address, *file, "--store", server))
        assert scored["predictions"] == found["models"]["penguin-linear"]["answers"]
        processes = {}
        for name, uri in SERVED.items():
            command = (sys.executable, "-m", "mlproj", "models", "serve", uri, "--port", "0")
            # By the store of a server, or by the variable that MLflow's client has.
            named = ("--store", server) if name in ("linear", "blend") else ()
            own = {**workplace.environ, "MLFLOW_TRACKING_URI": "" if named else server, "MLPROJ_STORE": ""}
            log = tmp_path / f"{name}.log"
            process = held.enter_context(started((*command, *named), log, folder=tmp_path, **own))
            processes[name] = (process, log)
        pool = held.enter_context(urllib3.PoolManager(retries=False, timeout=120))
        for name, (process, log) in processes.items():
            expected = found["models"][f"penguin-{name}"]
            address = told_address(process, log)
            sent = rows.read_bytes()
            told = pool.request("POST", f"{address}/invocations", body=sent, headers=JSON)
            assert told.status == 200, told.data
            assert told.json()["predictions"] == expected["answers"]
            which = pool.request("GET", f"{address}/model").json()
            assert which["model"] == f"models:/penguin-{name}/{expected['version']}"
            assert (told.headers["mlproj-model"], told.headers["mlproj-digest"]) == (
                which["model"],
                which["digest"],
            )
            if name != "blend":
                assert which["run_id"] == steps[name]["run_id"]
                assert steps[name]["record"] in _lineage_of(which["model"], workplace, server)


LIFE = ROOT / "docs" / "tutorial" / "the-life-of-a-model.md"


def test_the_page_about_a_models_life_does_what_it_shows(
    workplace: Workplace, boosted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment that is there already."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name in ("HOME", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, workplace.environ[name])
    need("curl", shutil.which("curl") is not None)
    folder = clone(tmp_path / "clone", "mlflow_tracking")
    rules = re.search(r"^```yaml\n# ../team/rules.yaml\n(.*?)^```$", LIFE.read_text(), re.M | re.S)
    assert rules is not None
    here = {"http://127.0.0.1:5001": f"http://127.0.0.1:{free_port()}"}
    with contextlib.ExitStack() as held:
        for step in (placed(step, here) for step in sessions(LIFE)):
            if step.command.endswith("&"):
                held.enter_context(started_there(step.command, folder))
                continue
            if "--set ../team/rules.yaml" in step.command:
                (folder / "../team/rules.yaml").write_text(rules[1])
            perform(step, folder)


def _flow(workplace: Workplace, steps: dict[str, dict[str, Any]], server: str) -> Any:
    runs = {name: steps[name]["run_id"] for name in STEPS}
    program = Path(__file__).with_name("penguins_flow.py")
    done = subprocess.run(
        (workplace.bin_folder(steps["linear"]) / "python", "-W", "ignore", program, json.dumps(runs)),
        cwd=workplace.project,
        env={**workplace.environ, "MLFLOW_TRACKING_URI": server, "PYTHONPATH": str(workplace.project)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def _lineage_of(model: str, workplace: Workplace, server: str) -> set[str]:
    """The digests and records upstream, which have to lead to the table."""
    lineage = json.loads(workplace.mlproj("lineage", model, "--up", "--json", "--store", server))
    table = _sha256(workplace.project / "data" / "penguins.csv")
    assert table in [node["id"] for node in lineage["nodes"]]
    return {node["record"] for node in lineage["nodes"] if node["kind"] == "run"}
