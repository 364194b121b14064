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


@contextlib.contextmanager
def mlflow_server(python: Path, folder: Path, port: int | None = None) -> Iterator[str]:
    """The address of the server of `python`'s MLflow, whose data is in `folder`."""
    port = port or free_port()
    command = (
        *(python.parent / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
        *("--default-artifact-root", "mlflow-artifacts:/"),
    )
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, folder / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def wait_for(uri: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(uri, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
