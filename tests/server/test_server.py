"""Real clients of three lines of MLflow go through their calls against `mlproj server`, on every database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mlflow_clients import LINES, ClientPython
from tests.server.hosted import ACCESSES, BACKENDS, Access, Backend, hosted
from tests.server.test_clients import FURTHER, FURTHER_PARTS, go_through


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("access", ACCESSES, ids=lambda access: access.name)
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_a_client_knows_no_difference(
    line: str, backend: Backend, access: Access, client_python: ClientPython, tmp_path: Path
) -> None:
    python = client_python(line)
    with hosted(tmp_path, *backend.options(tmp_path), *access.options) as server:
        go_through(python, server.uri, tmp_path, variables=access.variables)
        go_through(
            python,
            server.uri,
            tmp_path,
            program=FURTHER,
            parts=FURTHER_PARTS,
            variables=access.variables,
        )
        assert not server.events("bug") and not server.events("worker died")
        assert len({event["worker"] for event in server.events("request")}) > 1
