"""Servers to log to, each a process with a store of its own, and clients that take turns in asking them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.arena import ROOT

_CLIENT = str(Path(__file__).with_name("tracking_client.py"))
_PATIENCE = 120.0
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


class ServerFailed(Exception):
    """A server did not come up, or a client had an answer that it did not expect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a server is, the run to log to (if there is one already), its process and its database."""

    name: str
    uri: str
    run_id: str | None
    process: int
    database: Path | None = None

    def peak_mib(self) -> float:
        """The most memory that its process has had; 0 where the system does not tell."""
        status = Path(f"/proc/{self.process}/status")
        found = _PEAK.search(status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds that a client's calls took."""

    p50: float
    p99: float
    total: float


class Client:
    """MLflow's own client in a process, or bare requests from there, whichever the task says."""

    def __init__(self, server: Server, process: subprocess.Popen[str]) -> None:
        self.server = server
        self._process = process
        self.run_id: str = self._answer()

    def do(self, act: str, times: int = 1, **given: Any) -> tuple[list[float], Any]:
        """The seconds that each of so many calls took, and what the last of them came to."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"act": act, "times": times, "given": given}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        return answer["seconds"], answer["result"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ServerFailed(f"the client of {self.server.name} ended")
        return json.loads(line)


def taking_turns(
    clients: Sequence[Client], act: str, *, rounds: int, times: int, **given: Any
) -> tuple[Times, ...]:
    """What a call took each of the clients: `times` calls in a row, then the next client, for some rounds."""
    for client in clients:
        client.do(act, min(times, 3), **given)
    taken: list[list[float]] = [[] for _ in clients]
    for _ in range(rounds):
        for client, seconds in zip(clients, taken, strict=True):
            seconds += client.do(act, times, **given)[0]
    return tuple(map(_times, taken))


@contextlib.contextmanager
def our_server(folder: Path, environ: Mapping[str, str]) -> Iterator[Server]:
    """The endpoint of a run in a new store, with artifacts going through it."""
    with _program("mlproj", environ, str(folder)) as (uri, run_id, process):
        database = folder / "store.db"
        yield Server(name="mlproj", uri=uri, run_id=run_id, process=process, database=database)


@contextlib.contextmanager
def no_server(environ: Mapping[str, str]) -> Iterator[Server]:
    """One that answers at once, whatever is asked: what is left is the client's own time."""
    with _program("nothing", environ) as (uri, run_id, process):
        yield Server(name="nothing", uri=uri, run_id=run_id, process=process)


@contextlib.contextmanager
def mlflow_server(program: str, folder: Path, environ: Mapping[str, str], *options: str) -> Iterator[Server]:
    """`mlflow server` as it is without options (SQLite, and artifacts in the folder), but for the port and
    those that are given."""
    folder.mkdir(parents=True)
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            (program, "server", "--port", str(port), *options),
            cwd=folder,
            env={name: value for name, value in environ.items() if name != "MLFLOW_TRACKING_URI"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        _await(uri, process, folder / "server.log")
        database = folder / "mlflow.db"
        yield Server(name="mlflow", uri=uri, run_id=None, process=process.pid, database=database)
    finally:
        # The group is its own: its workers go with it.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def client_of(server: Server, mlflow: str, environ: Mapping[str, str]) -> Iterator[Client]:
    """A client with the `mlflow` of that program's environment."""
    given = (server.uri,) if server.run_id is None else (server.uri, server.run_id)
    command = (python_of(mlflow), _CLIENT, *given)
    with _talking(command, {**environ, "MLFLOW_TRACKING_URI": server.uri}) as process:
        yield Client(server, process)


def python_of(mlflow: str) -> str:
    """The Python beside that program."""
    return str(Path(mlflow).parent / "python")


@contextlib.contextmanager
def _program(name: str, environ: Mapping[str, str], *arguments: str) -> Iterator[tuple[str, str, int]]:
    command = (sys.executable, "-m", "tests.benchmarks.tracking_server", *arguments)
    with _talking(command, environ) as process:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        if len(said) != 2:
            raise ServerFailed(f"the server of {name} did not come up")
        yield said[0], said[1], process.pid


@contextlib.contextmanager
def _talking(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that ends when its input does."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=dict(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(uri: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{uri}/health").close()
            return
        time.sleep(0.2)
    raise ServerFailed(f"`mlflow server` did not come up\n{log.read_text()}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _times(seconds: Sequence[float]) -> Times:
    parts = (
        statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else list(seconds) * 99
    )
    return Times(p50=parts[49] * 1000, p99=parts[98] * 1000, total=sum(seconds) * 1000)
