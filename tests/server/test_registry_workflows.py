"""The workflows of MLflow's model registry, by its client and by our commands, at servers of both."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.databases import new_uri
from tests.mlflow_clients import QUIET, ClientPython
from tests.mlflow_servers import mlflow_server
from tests.server.hosted import MLPROJ, hosted

FLOW = Path(__file__).with_name("registry_flow.py")
WORKFLOWS = 13
SERVERS = ("sqlite", "postgresql", "mlflow")


@contextlib.contextmanager
def _server(kind: str, python: Path, folder: Path) -> Iterator[str]:
    if kind == "mlflow":
        with mlflow_server(python, folder) as uri:
            yield uri
        return
    database = str(folder / "store") if kind == "sqlite" else new_uri(kind)
    destination = () if kind == "sqlite" else ("--artifacts-destination", str(folder / "contents"))
    with hosted(folder, "--backend-store-uri", database, *destination, "--workers", "2") as server:
        yield server.uri


@pytest.fixture(params=SERVERS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def server(kind: str, client_python: ClientPython, tmp_path: Path) -> Iterator[str]:
    with _server(kind, client_python("3"), tmp_path) as uri:
        yield uri


def test_the_client_goes_through_all_of_them(
    kind: str, server: str, client_python: ClientPython, tmp_path: Path
) -> None:
    """At a server of MLflow's its own command serves the model, at one of ours it is ours."""
    python = client_python("3")
    command = ("mlflow",) if kind == "mlflow" else MLPROJ
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    done = subprocess.run(
        (python, FLOW, *command, "models", "serve", "--env-manager", "local"),
        cwd=tmp_path,
        env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": server, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.split()) >= WORKFLOWS


class Commands:
    """`mlproj models`, at a store or at the server that a variable names."""

    def __init__(self, folder: Path, *options: str, server: str | None = None) -> None:
        self._folder = folder
        self._options = options
        self._variables = {} if server is None else {"MLFLOW_TRACKING_URI": server}

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = (*MLPROJ, "models", *arguments, *self._options)
        done = subprocess.run(
            command,
            cwd=self._folder,
            env={**os.environ, **self._variables},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "saved"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors:\n  of_nobody: {version: '1'}\n")
    (folder / "data").mkdir()
    (folder / "data" / "model.bin").write_bytes(b"wine\0red")
    return folder


def _workflows(models: Commands, saved: Path) -> None:
    """All but adding from a run, which a project has to make first."""
    assert models.json("add", "wine", str(saved), "--description", "first", "--tag", "a=b")["version"] == 1
    models("add", "wine", "models:/wine/1", "--alias", "champion", "--stage", "Staging")
    for which in ("wine/1", "wine@champion", "wine/Staging"):
        target = saved.parent / which.replace("/", "-")
        models("fetch", f"models:/{which}", "-o", str(target))
        assert (target / "data" / "model.bin").read_bytes() == b"wine\0red"
    models("describe", "wine", "of grapes")
    models("describe", "wine/2", "the second")
    models("rename", "wine", "cider")
    models("stage", "cider/1", "production")
    models("stage", "cider/2", "Production", "--archive-existing")
    found = models.json("get", "cider")
    assert {each["version"]: each["stage"] for each in found["versions"]} == {1: "Archived", 2: "Production"}
    assert (found["description"], found["aliases"]) == ("of grapes", {"champion": 2})
    assert models.json("get", "cider/Production")["description"] == "the second"
    assert [each["name"] for each in models.json("list", "--filter", "name LIKE 'ci%'")["models"]] == [
        "cider"
    ]
    newest = models.json("search", "name = 'cider'", "--order-by", "version_number DESC")["versions"]
    assert [each["version"] for each in newest] == [2, 1]
    models("archive", "cider/2")
    assert models.json("get", "cider@champion")["stage"] == "Archived"
    models("alias", "cider/1", "champion")
    assert models.json("get", "cider@champion")["version"] == 1
    models("alias", "cider", "champion", "--remove")
    models("tag", "cider", "team=red", "kind=x=y")
    models("tag", "cider", "team", "--remove")
    models("tag", "cider/1", "checked=yes")
    assert models.json("get", "cider")["tags"] == {"kind": "x=y"}
    assert models.json("get", "cider/1")["tags"] == {"a": "b", "checked": "yes"}
    assert "no version" in models("get", "cider/Staging", code=5)
    models("delete", "cider/2")
    assert "--all-versions" in models("delete", "cider", code=2)
    models("delete", "cider", "--all-versions")
    assert models.json("list")["models"] == []
    models("get", "cider", code=5)


def test_our_commands_go_through_them_at_a_server(server: str, saved: Path) -> None:
    models = Commands(saved.parent, server=server)
    _workflows(models, saved)
    run_id = _run_with(saved / "MLmodel", server)
    made = models.json("add", "cellar", f"runs:/{run_id}/model")
    assert (made["version"], made["run_id"]) == (1, run_id)
    models("fetch", "models:/cellar/1", "-o", "brought")
    assert (saved.parent / "brought" / "MLmodel").read_bytes() == (saved / "MLmodel").read_bytes()


def _run_with(file: Path, server: str) -> str:
    """The id of a run at a server that has the file in a folder `model`."""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        made = pool.request("POST", f"{server}/api/2.0/mlflow/runs/create", json={"experiment_id": "0"})
        info = made.json()["run"]["info"]
        place = urlsplit(info["artifact_uri"]).path.strip("/")
        path = f"/api/2.0/mlflow-artifacts/artifacts/{place}/model/{file.name}"
        assert pool.request("PUT", f"{server}{path}", body=file.read_bytes()).status == 200
    found: str = info["run_id"]
    return found


def test_our_commands_go_through_them_at_a_store_of_a_server(
    client_python: ClientPython, saved: Path
) -> None:
    with _server("sqlite", client_python("3"), saved.parent) as uri:
        _workflows(Commands(saved.parent, "--store", uri), saved)


def test_our_commands_go_through_them_here(saved: Path) -> None:
    _workflows(Commands(saved.parent, "--store", str(saved.parent / "store")), saved)


PROJECT = """\
name: wine
entry_points:
  main:
    command: "python train.py"
    inputs: [grapes.csv]
    outputs: [{path: model.bin, model: true}]
"""
RULES = "rules:\n  reproduced: {{within: 30d, as: identical}}\n  attested: {{by: {}}}\n"
Run = Callable[..., str]


def _ran(folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run((*MLPROJ, *arguments), cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(PROJECT)
    (folder / "train.py").write_text("open('model.bin', 'w').write(open('grapes.csv').read())\n")
    (folder / "grapes.csv").write_text("red\n")
    (folder / "rules.yaml").write_text(RULES.format("team.pub.pem"))
    for name in ("team.pem", "other.pem"):
        _ran(folder, "key", "new", "-o", name)
    return folder


@pytest.mark.parametrize("place", ["here", "sqlite", "postgresql"])
def test_what_was_not_reproduced_is_held_back(
    place: str, project: Path, client_python: ClientPython, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as held:
        if place == "here":
            at = ("--store", str(tmp_path / "kept"))
        else:
            served = tmp_path / "served"
            served.mkdir()
            uri = held.enter_context(_server(place, client_python("3"), served))
            at = ("--store", uri)
        run = json.loads(_ran(project, "run", ".", "--env-manager", "local", "--json", *at))
        models = Commands(project, *at)
        models("add", "wine", f"runs:/{run['run_id']}/model.bin")
        models("rules", "wine", "--set", "rules.yaml", "--why", "as agreed")
        key = "".join((project / "team.pub.pem").read_text().splitlines()[1:-1])
        assert models("rules", "wine") == RULES.format(key)
        told = models("promote", "wine", code=6)
        assert "nobody reproduced the run" in told and "2 of 2 rules do not hold" in told
        assert "2 of 2 rules do not hold" in models("stage", "wine/1", "Production", code=6)
        if place != "here":
            _refuses_the_client(client_python("3"), uri)
        _ran(project, "reproduce", run["run_id"], *at)
        _ran(project, "attest", run["run_id"], "--key", "other.pem", *at)
        told = models("promote", "wine", code=6)
        assert "whom the rules do not name" in told and "1 of 2 rules do not hold" in told
        _ran(project, "attest", run["run_id"], "--key", "team.pem", *at)
        found = json.loads(models("promote", "wine", "--why", "it was proved", "--json"))
        assert (found["promoted"], found["stage"]) == (True, "Production")
        assert [check["holds"] for check in found["checks"]] == [True, True]
        changes = models.json("history", "wine")["changes"]
        assert [change["act"] for change in changes][-2:] == ["promotion refused", "stage"]
        assert changes[-1]["why"] == "it was proved" and changes[-1]["checks"][0]["holds"]
        lineage = json.loads(_ran(project, "lineage", "models:/wine/Production", "--up", "--json", *at))
        data = hashlib.sha256((project / "grapes.csv").read_bytes()).hexdigest()
        assert f"sha256:{data}" in [node["id"] for node in lineage["nodes"]]
        _ran(project, "verify", *at)


def _refuses_the_client(python: Path, uri: str) -> None:
    program = (
        "from mlflow import MlflowClient\n"
        "try:\n"
        "    MlflowClient().transition_model_version_stage('wine', '1', 'Production')\n"
        "except Exception as error:\n"
        "    print(error.error_code, error)\n"
    )
    done = subprocess.run(
        (python, "-W", "ignore", "-c", program),
        env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("INVALID_STATE"), done.stdout + done.stderr
    assert "nobody reproduced the run" in done.stdout
