"""The command line as a person uses it: a real process in a real folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ending
from tests.mlflow_clients import client_python

__all__ = ["client_python"]

COMMAND = (sys.executable, "-m", "mlproj")
LOCAL = ("--env-manager", "local")


def single(command: str, **keys: str) -> str:
    """An MLproject whose only entry point is `main`."""
    lines = [f"    {key}: {value}" for key, value in {**keys, "command": command}.items()]
    return "\n".join(["entry_points:", "  main:", *lines, ""])


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.stdout)
        return loaded


Mlproj = Callable[..., Answer]
Start = Callable[..., "subprocess.Popen[bytes]"]


def written(path: Path) -> str:
    """What is in a file, once there is something in it."""
    deadline = time.monotonic() + 90  # a busy machine takes that long to import mlflow
    while time.monotonic() < deadline and not (path.exists() and path.read_text().strip()):
        time.sleep(0.02)
    return path.read_text()


@pytest.fixture
def mlproj(tmp_path: Path) -> Mlproj:
    """`mlproj("run", ".", cwd=project)` runs the command with its store in the test's own folder."""

    def call(
        *arguments: str | Path, cwd: Path | None = None, variables: dict[str, str] | None = None
    ) -> Answer:
        done = subprocess.run(
            (*COMMAND, *map(str, arguments)),
            cwd=cwd or tmp_path,
            env={**os.environ, "MLPROJ_STORE": str(tmp_path / "store"), **(variables or {})},
            capture_output=True,
            timeout=120,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """As `mlproj`, without waiting: a process whose streams come together in its stdout. It ends with the
    test."""

    def begin(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            (*COMMAND, *arguments),
            cwd=cwd,
            env={**os.environ, "MLPROJ_STORE": str(tmp_path / "store")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return begun.enter_context(ending(process))

    with contextlib.ExitStack() as begun:
        yield begin
