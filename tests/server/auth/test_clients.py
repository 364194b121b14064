"""Real MLflow clients come to a server that asks who they are, and go through all their calls there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.access import Kind, Level
from tests.mlflow_clients import LINES, QUIET, ClientPython
from tests.server.guarded import PASSWORDS, Guarded, guarded
from tests.server.test_clients import FURTHER, FURTHER_PARTS, go_through

USERS = Path(__file__).with_name("users_flow.py")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path / "server") as server:
        # The experiment of runs that name none is everybody's to use who is told so.
        server.users.rights.grant("ada", Kind.EXPERIMENT, "0", Level.MANAGE)
        server.caller("bob").done("POST", "experiments/create", name="bob's")
        yield server


def shown(server: Guarded, way: str) -> dict[str, str]:
    """What lets a client in as ada, by variables."""
    if way == "password":
        return {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": PASSWORDS["ada"]}
    token = server.users.tokens.create("ada", label="client")[1]
    if way == "token":
        return {"MLFLOW_TRACKING_TOKEN": token}
    return {"MLFLOW_TRACKING_USERNAME": "ci", "MLFLOW_TRACKING_PASSWORD": token}


@pytest.mark.parametrize(
    ("line", "way"), [*((line, "password") for line in LINES), ("3", "token"), ("2.22", "beside")]
)
def test_a_user_goes_through_all_that_a_client_can(
    line: str, way: str, client_python: ClientPython, server: Guarded, tmp_path: Path
) -> None:
    python, variables = client_python(line), shown(server, way)
    go_through(python, server.uri, tmp_path, variables=variables)
    go_through(python, server.uri, tmp_path, program=FURTHER, parts=FURTHER_PARTS, variables=variables)


@pytest.mark.parametrize("line", ["2.22", "3"])
def test_mlflows_own_client_of_users_manages_ours(
    line: str, client_python: ClientPython, auth_packages: Path, server: Guarded, tmp_path: Path
) -> None:
    changes = {
        **QUIET,
        "MLFLOW_TRACKING_URI": server.uri,
        "MLFLOW_TRACKING_USERNAME": "root",
        "MLFLOW_TRACKING_PASSWORD": PASSWORDS["root"],
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "x",
        "PYTHONPATH": str(auth_packages),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        (client_python(line), USERS),
        cwd=tmp_path,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0 and "passed" in done.stdout, f"{done.stdout}\n{done.stderr}"
