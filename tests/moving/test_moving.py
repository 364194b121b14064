"""A history that MLflow's own clients made moves in, and they are told the same of it here as there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mlflow_clients import LINES, ClientPython
from tests.mlflow_servers import mlflow_server
from tests.moving.conftest import Make, Told, call, endpoint, told_by

KINDS = {"database": "sqlite:///mlflow.db", "folder": "./kept"}
FEW = 6


def mlproj(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlproj", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def move(source: str, store: Path, *options: str, folder: Path) -> Told:
    """What the command says of what it brought in."""
    done = mlproj("import-mlflow", source, "--store", store, "--json", *options, folder=folder)
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return told


def as_here(told: Told) -> Told:
    """What is told there, as we tell it: the runs of a deleted experiment are deleted with it."""
    for run in told["runs"].values():
        if told["experiments"][run["experiment"]]["stage"] == "deleted":
            run["stage"] = "deleted"
    return told


def verify(store: Path, folder: Path) -> None:
    done = mlproj("verify", "--store", store, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_is_told_the_same_here_as_there(
    line: str, kind: str, made: Make, client_python: ClientPython, tmp_path: Path
) -> None:
    folder, store = made(line, KINDS[kind], FEW), tmp_path / "store"
    moved = move(KINDS[kind], store, folder=folder)
    assert moved["untaken"] == []
    there = as_here(told_by(client_python(line), KINDS[kind], folder, tmp_path / "there"))
    with endpoint(store) as uri:
        here = told_by(client_python(line), uri, folder, tmp_path / "here")
    if "registered" not in there:
        del here["registered"]
    assert here == there
    assert moved["runs"] == {"new": len(there["runs"]), "changed": 0, "same": 0}
    verify(store, tmp_path)

    again = move(KINDS[kind], store, folder=folder)
    counted = [again[each] for each in ("runs", "models", "traces", "registered_models", "versions")]
    assert all(counts["new"] == counts["changed"] == 0 for counts in counted)
    assert again["runs"]["same"] == len(there["runs"])
    assert (again["points"], again["files"], again["untaken"]) == (0, 0, [])


@pytest.mark.parametrize("line", LINES)
def test_what_is_behind_a_server_moves_in_from_afar(
    line: str, client_python: ClientPython, tmp_path: Path
) -> None:
    python, store = client_python(line), tmp_path / "store"
    with mlflow_server(python, tmp_path) as uri:
        call(python, "history.py", uri, FEW, "files", folder=tmp_path)
        moved = move(uri, store, folder=tmp_path)
        assert moved["untaken"] == []
        there = as_here(told_by(python, uri, tmp_path, tmp_path / "there"))
        again = move(uri, store, folder=tmp_path)
    assert again["runs"] == {"new": 0, "changed": 0, "same": len(there["runs"])}
    with endpoint(store) as ours:
        here = told_by(python, ours, tmp_path, tmp_path / "here")
    assert here == there
    verify(store, tmp_path)


def test_the_same_history_from_its_server_and_from_its_database_is_one(
    client_python: ClientPython, tmp_path: Path
) -> None:
    python, store = client_python("3"), tmp_path / "store"
    with mlflow_server(python, tmp_path) as uri:
        call(python, "history.py", uri, 0, "files", folder=tmp_path)
        first = move(uri, store, folder=tmp_path)
    destination = ("--artifacts-destination", "artifacts")
    second = move("sqlite:///mlflow.db", store, *destination, folder=tmp_path)
    assert second["untaken"] == []
    assert second["runs"] == {"new": 0, "changed": 0, "same": first["runs"]["new"]}
    assert (second["files"], second["points"], second["versions"]["new"]) == (0, 0, 0)
