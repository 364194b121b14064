"""MLflow's own server, as somebody keeps one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.mlflow_clients import QUIET

WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Variables that a server is run with, so that it starts no eight processes that wait for jobs of no test."""

ADMIN, PASSWORD = "admin", "hunter2hunter2/hunter2"


@contextlib.contextmanager
def mlflow_server(
    python: Path, folder: Path, port: int | None = None, *, auth: Path | None = None
) -> Iterator[str]:
    """The address of the server of `python`'s MLflow, whose data is in `folder`.

    With `auth`, the folder of the packages that this takes beside MLflow, it lets in only who has a password:
    `ADMIN`, by PASSWORD.
    """
    port = port or free_port()
    guarded = () if auth is None else ("--app-name", "basic-auth")
    variables = {} if auth is None else _locked(folder, auth)
    command = (
        *(python.parent / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
        *("--default-artifact-root", "mlflow-artifacts:/"),
        *guarded,
    )
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET, **WITHOUT_JOBS, **variables, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server with its workers, which a busy machine may not do in time by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(30)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(30)


def _locked(folder: Path, packages: Path) -> dict[str, str]:
    """What has a server know its administrator, and keep what it knows of users in `folder`."""
    settings = folder / "auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder / 'auth.db'}\n"
        f"admin_username = {ADMIN}\nadmin_password = {PASSWORD}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        # Hashing a password takes long, and is done for every request.
        "auth_cache_ttl_seconds = 60\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
        "PYTHONPATH": str(packages),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def wait_for(uri: str, server: subprocess.Popen[bytes], log: Path, *, patience: float = 120) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(uri, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
