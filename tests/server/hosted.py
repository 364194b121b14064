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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.databases import KINDS, new_uri
from tests.server.calling import wait_until
from tests.server.guarded import basic, bearer

MLPROJ = (sys.executable, "-m", "mlproj")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A store as a server has it: where it is, a folder or the URI of a database, and where its contents are
    that are not in that folder. Commands on the server's machine are called in `folder` as the server is, and
    find it by `variables`."""

    store: str
    folder: Path
    contents: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        elsewhere = () if self.contents is None else ("--artifacts-destination", self.contents)
        return ("--backend-store-uri", self.store, *elsewhere)

    @property
    def variables(self) -> dict[str, str]:
        elsewhere = {} if self.contents is None else {"MLPROJ_SERVER_ARTIFACTS_DESTINATION": self.contents}
        return {"MLPROJ_STORE": self.store, **elsewhere}

    def command(self, *arguments: str, said: str = "") -> str:
        """What a command tells about it, to which `said` is said; it has to succeed."""
        done = subprocess.run(
            (*MLPROJ, *arguments),
            cwd=self.folder,
            env={**os.environ, **self.variables},
            input=said,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def kept(backend: str, folder: Path, contents: str | None = None) -> Kept:
    """A new store over that kind of database, with whatever is not in the database in the folder, but for its
    `contents` where these are named."""
    if backend == "sqlite":
        return Kept(store=str(folder / "store"), folder=folder, contents=contents)
    return Kept(store=new_uri(backend), folder=folder, contents=contents or str(folder / "contents"))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What lets a caller in: what MLflow's client has in its environment, and what a bare request has for
    headers."""

    variables: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


BACKENDS = ("sqlite", *KINDS)
ACCESSES: Mapping[str, Sequence[str]] = {"anybody": (), "password": ("--auth",), "token": ("--auth",)}
"""Ways to be let in, with what the server is told for each."""

_PASSWORD = "the one of ada"


def let_in(access: str, where: Kept) -> Shown:
    """Adds a user, ada, to the store of a server that asks for one. She manages the experiment of runs that
    name none, and whatever she makes."""
    if access == "anybody":
        return Shown()
    where.command("users", "add", "ada", said=f"{_PASSWORD}\n")
    where.command("users", "grant", "ada", "MANAGE", "--experiment", "Default")
    if access == "password":
        variables = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": _PASSWORD}
        return Shown(variables=variables, headers=basic("ada", _PASSWORD))
    token = where.command("tokens", "create", "ada").strip()
    return Shown(variables={"MLFLOW_TRACKING_TOKEN": token}, headers=bearer(token))


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
