"""Tracking servers that somebody keeps: MLflow's own of three lines, each started once, and a small stub."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mlflow_clients import ClientPython, client_python
from tests.mlflow_servers import mlflow_server
from tests.remote.stub import Stub, serving

__all__ = ["client_python"]

ServerOf = Callable[[str], str]
"""Gives the address of MLflow's server of a line."""


@pytest.fixture(scope="session")
def server_of(client_python: ClientPython, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerOf]:
    started: dict[str, str] = {}
    with contextlib.ExitStack() as stack:

        def address(line: str) -> str:
            if line not in started:
                folder: Path = tmp_path_factory.mktemp("server")
                started[line] = stack.enter_context(mlflow_server(client_python(line), folder))
            return started[line]

        yield address


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as stub:
        yield stub
