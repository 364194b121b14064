"""Histories that real clients of three lines of MLflow made, and what is told of them by whoever has them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlproj.server.app import create_app
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.mlflow_clients import QUIET, ClientPython, client_python
from tests.server.calling import served

__all__ = ["client_python"]

_HERE = Path(__file__).parent
_FOLDERS_TOO = {"MLFLOW_ALLOW_FILE_STORE": "true"}
"""Has late lines of the client use a folder all the same."""

Told = dict[str, Any]
Make = Callable[[str, str, int], Path]
"""Gives the folder in which a line's client worked with the store at a URI, with so many runs in bulk."""


def call(python: Path, program: str, *arguments: object, folder: Path) -> str:
    """What the client's program says; it works in `folder`."""
    command = [str(python), str(_HERE / program), *map(str, arguments)]
    environ = {**os.environ, **QUIET, **_FOLDERS_TOO}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def told_by(python: Path, uri: str, folder: Path, scratch: Path) -> Told:
    """All that the client is told by whoever is at `uri`."""
    told: Told = json.loads(call(python, "telling.py", uri, scratch, folder=folder))
    # The one that is there from the beginning is as old as the store that it is in.
    for moment in ("created", "updated"):
        del told["experiments"]["Default"][moment]
    for run_id, run in told["runs"].items():
        # A client sends the spans of a trace as a file, too, where it told of the trace before its spans
        # came, which is chance. Here it is one of the run's.
        own = f"traces/{run_id}/"
        run["files"] = {path: digest for path, digest in run["files"].items() if not path.startswith(own)}
    return told


@contextlib.contextmanager
def endpoint(path: Path) -> Iterator[str]:
    """The address at which clients find the store in the folder `path`."""
    bugs: list[Exception] = []
    store = open_store(path, create=False)
    tracking = open_tracking(store)
    artifacts = FolderArtifacts(store.root, store.root / "uploads")
    with served(create_app(tracking, artifacts, proxied=True, unexpected=bugs.append)) as uri:
        yield uri
    tracking.close()
    store.close()
    assert not bugs


@pytest.fixture(scope="session")
def made(client_python: ClientPython, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Each history is made once."""
    folders: dict[tuple[str, str, int], Path] = {}

    def make(line: str, uri: str, many: int) -> Path:
        if (line, uri, many) not in folders:
            folder = tmp_path_factory.mktemp(f"history-{line}")
            call(client_python(line), "history.py", uri, many, "files", folder=folder)
            folders[line, uri, many] = folder
        return folders[line, uri, many]

    return make
