"""Of a run at a configured server that goes away, or whose runner does, the rest is read later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import LOCAL, Mlproj, written
from tests.cli.test_configured_server import at_server, project, variables
from tests.mlflow_clients import ClientPython
from tests.mlflow_servers import free_port, mlflow_server
from tests.remote.conftest import ServerOf, client_python, server_of

__all__ = ["client_python", "project", "server_of"]


def test_a_server_that_goes_away_meanwhile_is_read_later(
    client_python: ClientPython, project: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    python, folder = client_python("3"), tmp_path / "server"
    folder.mkdir()
    go = tmp_path / "go"
    port = free_port()
    command = ("-m", "mlproj", "run", ".", "-e", "waits", *LOCAL, "--store", str(tmp_path / "store"))
    with mlflow_server(python, folder, port) as uri:
        environ = {**os.environ, **variables(python, uri, GO=str(go))}
        started = subprocess.Popen(
            (sys.executable, *command), cwd=project, env=environ, stderr=subprocess.PIPE
        )
        assert written(tmp_path / "go.ready")
    go.write_text("go")
    _, said = started.communicate(timeout=120)
    assert started.returncode == 0, said
    assert b"was not read to the end" in said and b"mlproj runs sync" in said
    here = mlproj("show", "last", "--json").document
    assert here["status"] == "FINISHED" and here["server_read"] is False and here["metrics"] == {}

    away = mlproj("runs", "sync")
    assert away.code == 5 and "cannot be reached" in away.stderr
    with mlflow_server(python, folder, port) as uri:
        synced = mlproj("runs", "sync", "--json")
        assert synced.code == 0
        (told,) = synced.document["runs"]
        assert told["run_id"] == here["run_id"] and told["error"] is None and told["added"] >= 2
        assert at_server(uri, here["server"]["run_id"])["status"] == "FINISHED"
    (found,) = mlproj("runs", "--where", "metrics.before = 1", "--json").document["runs"]
    assert found["run_id"] == here["run_id"]
    assert mlproj("verify").code == 0
    assert "no run here waits" in mlproj("runs", "sync").stderr


def test_a_run_whose_runner_was_killed_is_read_and_ended_there_later(
    client_python: ClientPython, server_of: ServerOf, project: Path, mlproj: Mlproj, tmp_path: Path
) -> None:
    uri, go = server_of("3"), tmp_path / "go"
    environ = {**os.environ, **variables(client_python("3"), uri, GO=str(go))}
    command = ("-m", "mlproj", "run", ".", "-e", "waits", *LOCAL, "--store", str(tmp_path / "store"))
    with subprocess.Popen((sys.executable, *command), cwd=project, env=environ) as runner:
        assert written(tmp_path / "go.ready")
        runner.kill()
    here = mlproj("show", "last", "--json").document
    assert here["status"] == "KILLED" and here["server_read"] is None
    assert at_server(uri, here["server"]["run_id"])["status"] == "RUNNING"
    synced = mlproj("runs", "sync")
    assert synced.code == 0 and "has what its server holds" in synced.stderr
    go.write_text("go")  # its script was left waiting
    assert at_server(uri, here["server"]["run_id"])["status"] == "KILLED"
    (found,) = mlproj("runs", "--where", "metrics.before = 1", "--json").document["runs"]
    assert found["run_id"] == here["run_id"]
