"""Runs at MLflow's own server of each line, as a person asks for them: shown there, and sealed here."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mlproj.model.digest import Digest
from mlproj.model.tracking import RunStatus
from mlproj.remote.server import RemoteServer
from tests.cli.conftest import LOCAL, Answer, Mlproj, single
from tests.conftest import ProjectMaker, git
from tests.mlflow_clients import ENDS, QUIET, ClientPython, auth_packages
from tests.mlflow_servers import ADMIN, PASSWORD, free_port, mlflow_server
from tests.remote.conftest import ServerOf, client_python, server_of
from tests.server.calling import calling

__all__ = ["auth_packages", "client_python", "server_of"]

SCRIPT = """\
import os, sys
import mlflow

mlflow.log_param("alpha", float(sys.argv[1]))
mlflow.log_params({"depth": 3, "empty": ""})
for step in range(20):
    mlflow.log_metric("loss", 1 / (step + 1), step=step)
mlflow.log_metrics({"good": 0.25, "odd": float("nan")})
mlflow.set_tag("colour", "blue")
with open("note.txt", "w") as file:
    file.write("a note\\n")
mlflow.log_artifact("note.txt", artifact_path="notes")
os.remove("note.txt")
print("at", os.environ["MLFLOW_TRACKING_URI"])
if len(sys.argv) > 2:
    sys.exit(int(sys.argv[2]))
"""

PROJECT = """\
name: mirrored
entry_points:
  main:
    parameters: {alpha: {type: float, default: 0.5}}
    command: "python train.py {alpha}"
  fails:
    command: "python train.py 1 3"
  pipeline:
    command: "python pipeline.py"
  few:
    command: "python few.py"
  quiet:
    command: "true"
  waits:
    command: "python waits.py"
  sweep:
    metrics: [scores.csv]
    command: "python sweep.py"
"""

SWEEP = """\
import json, os
import mlflow
from mlflow.tracking import MlflowClient

elsewhere = mlflow.create_experiment(os.environ["ELSEWHERE"])
ids = []
with mlflow.start_run() as own:
    for depth in (1, 2):
        with mlflow.start_run(nested=True, run_name=f"depth {depth}") as run:
            ids.append(run.info.run_id)
            mlflow.log_param("depth", depth)
            for step in range(3):
                mlflow.log_metric("loss", depth / (step + 1), step=step)
            mlflow.set_tag("colour", "red")
            mlflow.log_text(f"depth {depth}\\n", "note.txt")
            with mlflow.start_run(nested=True, experiment_id=elsewhere, run_name=f"fold {depth}") as run:
                ids.append(run.info.run_id)
    client = MlflowClient()
    below = client.create_run("0", tags={"mlflow.parentRunId": ids[0]}, run_name="below")
    ids.append(below.info.run_id)
    client.set_terminated(below.info.run_id, "FAILED")
alone = client.create_run("0", run_name="alone")
ids.append(alone.info.run_id)
client.set_terminated(alone.info.run_id)
with mlflow.start_run(run_name="apart") as run:
    ids.append(run.info.run_id)
left = mlflow.start_run(run_name="left")
ids.append(left.info.run_id)
with open("scores.csv", "w") as file:
    file.write("epoch,accuracy,odd [%]\\n0,0.5,1\\n1,nan,2\\n2,0.75,3\\n")
print(json.dumps({"own": own.info.run_id, "ids": ids}), flush=True)
os._exit(0)
"""

PIPELINE = """\
import json
import mlflow

mlflow.set_experiment("of the script")
with mlflow.start_run() as active:
    step = mlflow.projects.run(".", "main", parameters={"alpha": 0.75}, env_manager="local")
    found = mlflow.get_run(step.run_id)
    mlflow.log_metric("of_step", found.data.metrics["good"])
    print(json.dumps({"active": active.info.run_id, "step": step.run_id, "status": found.info.status}))
"""

WAITS = """\
import os, pathlib, time
import mlflow

mlflow.log_metric("before", 1)
pathlib.Path(os.environ["GO"] + ".ready").write_text("ready")
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.05)
"""

FEW = """\
import mlflow

mlflow.log_metric("good", 0.25)
mlflow.log_text("a note\\n", "note.txt")
"""

FILES = {
    "MLproject": PROJECT,
    "train.py": SCRIPT,
    "pipeline.py": PIPELINE,
    "waits.py": WAITS,
    "sweep.py": SWEEP,
    "few.py": FEW,
}


@pytest.fixture
def project(make_project: ProjectMaker) -> Path:
    root = make_project(FILES)
    git(root, "remote", "add", "origin", "https://ada:hunter2@git.example/project.git")
    return root


def variables(python: Path, uri: str | None = None, **more: str) -> dict[str, str]:
    """A person's, whose `python` has MLflow."""
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    chosen = {} if uri is None else {"MLFLOW_TRACKING_URI": uri}
    return {**QUIET, "PATH": path, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", **chosen, **more}


def at_server(uri: str, run_id: str) -> dict[str, Any]:
    with calling(uri) as caller:
        run: dict[str, Any] = caller.done("GET", "runs/get", run_id=run_id)["run"]
    data = run["data"]
    return {
        **run["info"],
        **{name: {item["key"]: item["value"] for item in data.get(name, ())} for name in data},
    }


@pytest.mark.parametrize("line", ENDS)
def test_a_run_is_shown_there_and_sealed_here_with_the_same_values(
    line: str, client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj
) -> None:
    uri = server_of(line)
    given = ("--tracking-uri", uri, "--experiment-name", "mirrored", "--run-name", "sly fox")
    asked = ("run", ".", *LOCAL, *given, "-P", "alpha=0.25", "--tag", "team=red")
    answer = mlproj(*asked, cwd=project, variables=variables(client_python(line)))
    assert answer.code == 0, answer.stderr
    assert f"at {uri}" in answer.stdout

    here = mlproj("show", "last", "--json").document
    there = at_server(uri, here["server"]["run_id"])
    assert here["server"] == {
        "uri": uri,
        "run_id": there["run_id"],
        "experiment_id": there["experiment_id"],
    }
    tags, commit = there["tags"], git(project, "rev-parse", "HEAD")
    assert {key: tags[key] for key in tags if key.startswith(("mlflow.source", "mlflow.project"))} == {
        "mlflow.source.name": str(project),
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.repoURL": "https://git.example/project.git",
        "mlflow.project.entryPoint": "main",
        "mlflow.project.backend": "local",
    }
    assert (tags["mlproj.run_id"], tags["mlflow.user"]) == (here["run_id"], here["user"])
    assert (tags["mlflow.runName"], tags["team"], tags["colour"]) == ("sly fox", "red", "blue")
    assert there["status"] == here["status"] == "FINISHED"
    assert there["end_time"] >= there["start_time"]
    assert there["params"] == {"alpha": "0.25", "depth": "3", "empty": ""}

    assert {key: item["value"] for key, item in here["parameters"].items()} == {
        "alpha": 0.25,
        "depth": "3",
        "empty": "",
    }
    assert here["metrics"] == {"good": 0.25, "loss": 1 / 20, "odd": "NaN"}
    assert {key: str(value) for key, value in there["metrics"].items()} == {
        key: str(value) for key, value in here["metrics"].items()
    }
    sums = {item["key"]: (item["step"], item["count"], item["maximum"]) for item in here["logged"]["metrics"]}
    assert sums["loss"] == (19, 20, 1.0)
    assert here["tags"] == {"team": "red", "colour": "blue"}
    assert [(item["path"], item["state"], item["digest"]) for item in here["outputs"]] == [
        ("artifacts/notes/note.txt", "served", str(Digest.of(b"a note\n")))
    ]
    assert here["server_read"] is True
    assert here["experiment"] == "mirrored"
    assert mlproj("verify").code == 0
    assert mlproj("runs", "sync", "last").code == 0
    assert mlproj("show", "last", "--json").document["record"] == here["record"]


def test_a_variable_names_the_server_and_a_failure_is_one_there_too(
    client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj
) -> None:
    uri = server_of("3")
    answer = mlproj(
        "run", ".", "-e", "fails", *LOCAL, cwd=project, variables=variables(client_python("3"), uri)
    )
    assert answer.code == 1
    here = mlproj("show", "last", "--json").document
    there = at_server(uri, here["server"]["run_id"])
    assert (there["status"], here["status"], here["exit_code"]) == ("FAILED", "FAILED", 3)
    assert here["metrics"]["good"] == 0.25


@pytest.mark.parametrize("line", ENDS)
def test_a_pipelines_steps_are_there_below_it(
    line: str, client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj
) -> None:
    uri = server_of(line)
    environ = variables(client_python(line), uri)
    answer = mlproj("run", ".", "-e", "pipeline", *LOCAL, cwd=project, variables=environ)
    assert answer.code == 0, answer.stderr
    told = json.loads(next(row for row in answer.stdout.splitlines() if row.startswith("{")))
    outer, step = (mlproj("show", told[name][:12], "--json") for name in ("active", "step"))
    assert outer.code == 5, "the server's id is not ours"
    here = step.document
    assert (told["status"], here["status"], here["parameters"]["alpha"]["value"]) == ("FINISHED",) * 2 + (
        0.75,
    )
    above = mlproj("show", here["parent"], "--json").document
    assert above["server"]["run_id"] == told["active"]
    assert at_server(uri, told["step"])["tags"]["mlflow.parentRunId"] == told["active"]
    assert above["metrics"] == {"of_step": 0.25}
    # A server of MLflow's own moves no run.
    assert above["experiment"] == "Default"
    assert above["tags"]["mlproj.experiment.asked"] == "of the script"


@pytest.mark.parametrize("line", ENDS)
def test_runs_that_a_script_begins_there_are_children_here(
    line: str, client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj
) -> None:
    uri = server_of(line)
    environ = variables(client_python(line), uri, ELSEWHERE=f"elsewhere {uuid.uuid4().hex}")
    answer = mlproj("run", ".", "-e", "sweep", *LOCAL, cwd=project, variables=environ)
    assert answer.code == 0, answer.stderr
    told = json.loads(next(row for row in answer.stdout.splitlines() if row.startswith("{")))
    own = mlproj("show", "last", "--json").document
    assert own["server"]["run_id"] == told["own"] and own["server_read"] is True
    assert sorted(own["children"]) == sorted(told["ids"])
    runs = {run_id: mlproj("show", run_id, "--json").document for run_id in told["ids"]}
    by_name = {run["name"]: run for run in runs.values()}
    assert {name: run["status"] for name, run in by_name.items()} == {
        **dict.fromkeys(("depth 1", "depth 2", "fold 1", "fold 2", "alone", "apart", "left"), "FINISHED"),
        "below": "FAILED",
    }
    assert at_server(uri, by_name["left"]["run_id"])["status"] == "FINISHED"
    assert all(run["plan"] == own["plan"] and run["parent"] == own["run_id"] for run in runs.values())
    two = by_name["depth 2"]
    assert two["parameters"] == {"depth": {"value": "2", "type": "logged", "origin": "logged"}}
    assert two["metrics"] == {"loss": 2 / 3}
    (metric,) = two["logged"]["metrics"]
    assert (metric["step"], metric["count"], metric["maximum"]) == (2, 3, 2.0)
    assert two["tags"]["colour"] == "red"
    assert [(item["path"], item["digest"]) for item in two["outputs"]] == [
        ("artifacts/note.txt", str(Digest.of(b"depth 2\n")))
    ]
    assert by_name["fold 1"]["experiment"] == environ["ELSEWHERE"]
    assert mlproj("verify").code == 0
    late(uri, two["run_id"], "reviewed", "yes")
    assert "1 addition" in mlproj("runs", "sync", "last").stderr
    (found,) = mlproj("runs", "--where", "tags.reviewed = yes", "--json").document["runs"]
    assert found["run_id"] == two["run_id"]

    # What was read from files is shown there as well, as far as its names are allowed.
    there = at_server(uri, told["own"])["metrics"]
    assert there["accuracy"] == 0.75 and len(history(uri, told["own"], "accuracy")) == 3
    assert own["metrics"] == {"accuracy": 0.75, "odd [%]": 3}
    assert [note for note in own["notes"] if "`odd [%]` is not shown" in note]
    assert own["logged"] is None or own["logged"]["metrics"] == []


def late(uri: str, run_id: str, key: str, value: str) -> None:
    with calling(uri) as caller:
        caller.done("POST", "runs/set-tag", run_id=run_id, key=key, value=value)


def history(uri: str, run_id: str, key: str) -> list[dict[str, Any]]:
    with calling(uri) as caller:
        found: list[dict[str, Any]] = caller.done(
            "GET", "metrics/get-history", run_id=run_id, metric_key=key
        )["metrics"]
    return found


def test_a_server_that_is_away_at_the_start_is_an_error_at_once(project: Path, mlproj: Mlproj) -> None:
    port = free_port()
    begun = time.monotonic()
    answer = mlproj("run", ".", *LOCAL, "--tracking-uri", f"http://ada:hunter2@127.0.0.1:{port}", cwd=project)
    assert time.monotonic() - begun < 8
    assert answer.code == 5
    assert "cannot be reached: Connection refused" in answer.stderr and "hint: " in answer.stderr
    assert "hunter2" not in answer.stderr
    assert mlproj("runs").code == 5, "nothing was begun, the store included"


def test_an_address_of_no_server_is_a_warning_or_an_error(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("echo $MLFLOW_TRACKING_URI")})
    environ = {"MLFLOW_TRACKING_URI": "sqlite:////nowhere/mlflow.db"}
    answer = mlproj("run", ".", *LOCAL, cwd=project, variables=environ)
    assert answer.code == 0
    assert answer.stdout.startswith("http://127.0.0.1:")
    assert answer.stderr.count("sqlite:////nowhere/mlflow.db") == 1
    refused = mlproj("run", ".", *LOCAL, "--tracking-uri", "databricks", cwd=project)
    assert refused.code == 2 and "takes the address of a server" in refused.stderr


@pytest.mark.parametrize("line", ["3"])
def test_a_server_that_asks_for_a_password(
    line: str,
    client_python: ClientPython,
    auth_packages: Path,
    project: Path,
    mlproj: Mlproj,
    tmp_path: Path,
) -> None:
    python, folder, home = client_python(line), tmp_path / "server", tmp_path / "home"
    folder.mkdir()
    (home / ".mlflow").mkdir(parents=True)
    kept = home / ".mlflow" / "credentials"
    kept.write_text(f"[mlflow]\nmlflow_tracking_username = {ADMIN}\nmlflow_tracking_password = {PASSWORD}\n")
    told = {"MLFLOW_TRACKING_USERNAME": ADMIN, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    shown: list[str] = []

    def begun(entry: str, address: str, **more: str) -> Answer:
        environ = variables(python, address, **more)
        answer = mlproj("run", ".", "-e", entry, *LOCAL, cwd=project, variables=environ)
        shown.extend((answer.stdout, answer.stderr))
        return answer

    with mlflow_server(python, folder, auth=auth_packages) as uri:
        in_address = uri.replace("//", f"//{ADMIN}:{quote(PASSWORD, safe='')}@")
        for entry, address, more in (
            ("few", uri, told),
            ("quiet", in_address, {}),
            ("quiet", uri, {"HOME": str(home)}),
        ):
            assert begun(entry, address, **more).code == 0, shown[-1]
            here = mlproj("show", "last", "--json").document
            assert here["server_read"] is True and here["server"]["uri"] == uri
            there = RemoteServer(in_address, {}).run(here["server"]["run_id"])
            assert there.status is RunStatus.FINISHED
        (here,) = mlproj("runs", "--where", "metrics.good = 0.25", "--json").document["runs"]
        assert mlproj("show", here["run_id"], "--json").document["outputs"][0]["digest"] is not None
        for wrong in ({}, {**told, "MLFLOW_TRACKING_PASSWORD": "another/hunter2"}):
            refused = begun("quiet", uri, **wrong)
            assert refused.code == 5
            assert refused.stderr.startswith(f"error: the tracking server `{uri}` does not let us in (401)")
            _, _, hint = refused.stderr.splitlines()
            assert hint.startswith("hint: set `MLFLOW_TRACKING_USERNAME` and")
    assert len(mlproj("runs", "--json").document["runs"]) == 3
    shown += [mlproj("show", "last", "--json").stdout, mlproj("logs").stdout]
    files = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    for secret in ("hunter2", quote(PASSWORD, safe="")):
        assert not any(secret in text for text in shown)
        assert not any(secret.encode() in content for content in files)


def test_credentials_are_nowhere_in_what_is_kept_or_shown(
    client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    uri = server_of("3").replace("//", "//ada:hunter2hunter2@")
    environ = variables(client_python("3"), uri, MLFLOW_TRACKING_TOKEN="topsecrettoken")
    answer = mlproj("run", ".", *LOCAL, cwd=project, variables=environ)
    assert answer.code == 0, answer.stderr
    shown = answer.stdout + answer.stderr + mlproj("show", "last", "--json").stdout + mlproj("logs").stdout
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("hunter2hunter2", "topsecrettoken"):
        assert secret not in shown
        assert secret.encode() not in kept
