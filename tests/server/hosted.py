"""`mlproj server` as somebody keeps it: a process with workers, over each kind of database, with and without
users."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.server.calling import wait_until

MLPROJ = (sys.executable, "-m", "mlproj")


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A database that servers are tried on: `options` tells the server to keep its store there, for which it
    may use the folder. `folder` says whether all of the store is in the folder's `store`."""

    name: str
    options: Callable[[Path], Sequence[str]]
    folder: bool = True


@dataclass(frozen=True, kw_only=True)
class Access:
    """A way to be let in: what the server is told, what MLflow's client has in its environment, and what a
    bare request has for headers."""

    name: str
    options: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


BACKENDS = (Backend(name="sqlite", options=lambda folder: ("--backend-store-uri", str(folder / "store"))),)
ACCESSES = (Access(name="anybody"),)


@dataclass(kw_only=True)
class Hosted:
    """A server that is running. `uri` is where it is."""

    process: subprocess.Popen[bytes]
    log: Path
    uri: str = ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """What its log tells of that name."""
        lines = self.log.read_text().splitlines()
        told = (json.loads(line) for line in lines if line.startswith("{"))
        return [event for event in told if event["event"] == name]

    def workers(self) -> list[int]:
        """The process numbers of those that answer."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return list(map(int, found.split()))

    def kill(self) -> None:
        """Ends all of its processes at once, as a machine does that goes down."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextlib.contextmanager
def hosted(
    folder: Path, *options: str, variables: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Hosted]:
    """A server in the folder, with 4 workers where the options say nothing else; ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"server-{time.monotonic_ns()}.log"
    command = (*MLPROJ, "server", "--port", str(port), "--log-format", "json", *options)
    with open(log, "wb") as written:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    server = Hosted(process=process, log=log)
    try:
        wait_until(lambda: bool(process.poll() is not None or server.events("serving")))
        assert process.poll() is None, log.read_text()
        server.uri = server.events("serving")[0]["at"]
        yield server
    finally:
        _end(server)


def _end(server: Hosted) -> None:
    """Its workers too, which are in its group."""
    if server.process.poll() is None:
        server.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(30)
