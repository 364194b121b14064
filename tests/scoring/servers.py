"""Scoring servers as processes: ours, and MLflow's beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from mlproj.services.serving import PROGRAM
from tests.conftest import ending
from tests.mlflow_clients import QUIET
from tests.mlflow_servers import free_port, wait_for

ROWS = json.dumps({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.0, 1, "u"]]}}).encode()
SERVING = re.compile(r"serving at (http://\S+)")


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], log: Path, *, folder: Path | None = None, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server as a process, in the folder of its log unless another is named; it ends with the `with`."""
    environ = {**os.environ, **QUIET, "PYTHONHASHSEED": "0", **variables}
    with log.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=folder or log.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
        with ending(process):
            yield process


def told_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where a server of ours says that it listens, once it does."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        found = SERVING.search(log.read_text(errors="replace"))
        if found is not None:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


@contextlib.contextmanager
def serving(command: Sequence[str | Path], log: Path) -> Iterator[str]:
    """The address of a server of ours."""
    with started(command, log) as process:
        yield told_address(process, log)


def program(python: Path, model: Path, *options: str) -> tuple[str | Path, ...]:
    """The command that serves a model in the environment of `python`, as it stands."""
    return (python, PROGRAM, "serve", "--model", model, "--port", "0", *options)


@contextlib.contextmanager
def mlflow_serving(python: Path, model: Path, log: Path, *options: str) -> Iterator[str]:
    """The address of `mlflow models serve`."""
    port = free_port()
    command: tuple[str | Path, ...] = (
        *(python.parent / "mlflow", "models", "serve", "--env-manager", "local", "--model-uri", model),
        *("--host", "127.0.0.1", "--port", str(port), *options),
    )
    path = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    with started(command, log, PATH=path) as process:
        wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        yield f"http://127.0.0.1:{port}"


def connected(address: str, *, buffer: int | None = None) -> socket.socket:
    """A connection that waits half a minute at most, and takes so many bytes ahead of whoever reads it."""
    parts = urlsplit(address)
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(30)
    connection.connect((parts.hostname or "", parts.port or 0))
    return connection


def raw(address: str, sent: bytes) -> bytes:
    """What a server answers to bytes, until it closes the connection."""
    with connected(address) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def head(length: int, *, kind: str = "application/json", close: bool = True) -> bytes:
    ending = "Connection: close\r\n" if close else ""
    return (
        f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{ending}"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def started_for(model: Path) -> psutil.Process:
    """The program of ours that serves the model. Others may have ended, and nobody asked how."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            found += [child] if str(model) in " ".join(child.cmdline()) else []
    (only,) = found
    return only
