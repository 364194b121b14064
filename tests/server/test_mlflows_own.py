"""MLflow's own server is gone through as ours is: what is asked of ours is its behaviour."""

from __future__ import annotations

from pathlib import Path

from tests.mlflow_clients import ClientPython
from tests.mlflow_servers import mlflow_server
from tests.server.test_clients import FURTHER, FURTHER_PARTS, go_through

LINE = "3"
"""The newest: that older clients and servers agree is their affair."""


def test_it_passes_what_ours_passes(client_python: ClientPython, tmp_path: Path) -> None:
    python = client_python(LINE)
    with mlflow_server(python, tmp_path) as uri:
        go_through(python, uri, tmp_path)
        go_through(python, uri, tmp_path, program=FURTHER, parts=FURTHER_PARTS)
