"""Real clients of three lines of MLflow go through their calls, against us and against MLflow's server."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mlproj.model.run import Run
from mlproj.server.access import Grant, Guard, Receive, Scope, Send
from mlproj.server.app import create_app
from mlproj.server.endpoint import Endpoint
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.mlflow_clients import LINES, QUIET, ClientPython
from tests.server.calling import served
from tests.server.conftest import files_of

FLOW = Path(__file__).with_name("flow.py")
FURTHER = Path(__file__).with_name("further_flow.py")

pytestmark = pytest.mark.parametrize("line", LINES)


PARTS = (
    "experiments",
    "runs",
    "logging",
    "datasets",
    "artifacts",
    "multipart",
    "searching",
    "models",
    "registry",
    "traces",
    "assessments",
)
FURTHER_PARTS = ("pictures", "tables", "automatic", "fluently", "later", "logged_models", "prompts")

IN_PARTS = {
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "100000",
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "200000",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
    "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": "150000",
}
"""What has a client send and fetch all but small files in parts."""


def go_through(
    python: Path,
    uri: str,
    folder: Path,
    *,
    program: Path = FLOW,
    parts: Sequence[str] = PARTS,
    variables: Mapping[str, str] | None = None,
) -> None:
    """These parts of the flow have to pass."""
    changes = {
        **QUIET,
        **IN_PARTS,
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "HOME": str(folder),  # libraries keep caches there
        "PATH": os.pathsep.join((str(python.parent), os.environ["PATH"])),
        **(variables or {}),
    }
    done = subprocess.run(
        (python, program, *parts),
        cwd=folder,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert [line.split()[0] for line in done.stdout.splitlines() if " passed " in line] == list(parts)


def test_against_a_runs_endpoint(
    line: str, client_python: ClientPython, endpoint: Endpoint, tmp_path: Path
) -> None:
    go_through(client_python(line), endpoint.uri, tmp_path)
    go_through(client_python(line), endpoint.uri, tmp_path, program=FURTHER, parts=FURTHER_PARTS)


def test_large_artifacts_go_in_parts(
    line: str, client_python: ClientPython, store: FolderStore, run: Run, tmp_path: Path
) -> None:
    """Through an endpoint that has a token: the addresses of parts have it as well."""
    asked: list[str] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if found := re.search(r"mlflow-artifacts/(mpu/\w+|presigned)/", scope["path"]):
            asked.append(found[1])
        ranges = [value for name, value in scope["headers"] if name == b"range"]
        asked.extend(value.decode() for value in ranges)
        await guarded(scope, receive, send)

    tracking = open_tracking(store)
    app = create_app(tracking, files_of(store), proxied=True)
    guarded = Guard(app, Grant(run.run_id), token="token")
    with served(noting) as uri:
        go_through(client_python(line), f"{uri}/t/token", tmp_path, parts=("multipart",))
    tracking.close()
    parts = {"mpu/create": 2, "mpu/part": 8, "mpu/complete": 2} if line != "1.30" else {}
    ranges = {f"bytes={first}-{min(first + 149_999, 700_000)}": 2 for first in range(0, 700_001, 150_000)}
    assert Counter(asked) == {**parts, **({"presigned": 2, **ranges} if line == "3" else {})}
    assert not (store.root / "uploads").exists() or os.listdir(store.root / "uploads") == []


def test_neither_a_user_name_nor_a_proxy_is_in_the_way(
    line: str, client_python: ClientPython, endpoint: Endpoint, tmp_path: Path
) -> None:
    variables = {
        "MLFLOW_TRACKING_USERNAME": "ada",
        "MLFLOW_TRACKING_PASSWORD": "secret",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    go_through(
        client_python(line), endpoint.uri, tmp_path, parts=("logging", "artifacts"), variables=variables
    )
