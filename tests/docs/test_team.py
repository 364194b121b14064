"""The page about a team's history is gone through: each server started, each command called."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ending
from tests.databases import new_uri
from tests.docs.console import ROOT, Step, perform, sessions, workplace
from tests.mlflow_servers import free_port, wait_for
from tests.s3_server import S3Server

PAGE = ROOT / "docs" / "tutorial" / "one-history-for-a-team.md"
DATABASE, BUCKET = "postgresql://mlproj@127.0.0.1/mlproj", "s3://team/mlproj"
_SERVER = "mlproj server "


@contextlib.contextmanager
def started(command: str, folder: Path) -> Iterator[None]:
    """What a line of the page starts in the background, once it answers."""
    words = shlex.split(command.removesuffix("&"))
    address = f"http://127.0.0.1:{words[words.index('--port') + 1]}/health"
    log = folder.parent / "server.log"
    program = str(Path(sys.executable).parent / words[0])
    variables = {**os.environ, "MLPROJ_STORE": str(folder / ".mlproj")}
    with log.open("wb") as told:
        process = subprocess.Popen((program, *words[1:]), cwd=folder, env=variables, stdout=told, stderr=told)
    with ending(process):
        wait_for(address, process, log)
        yield


def placed(step: Step, places: dict[str, str]) -> Step:
    """The step with the addresses of this machine for those of the page."""
    for shown, here in places.items():
        step = step.at(shown, here)
        step = replace(step, command=step.command.replace(f"--port {shown[-4:]}", f"--port {here[-5:]}"))
    return step


def test_the_commands_of_the_page_do_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    monkeypatch.setenv("MLPROJ_CACHE_DIR", os.environ["MLPROJ_CACHE_DIR"])
    folder = workplace(tmp_path)
    ports = {f"http://127.0.0.1:{port}": f"http://127.0.0.1:{free_port()}" for port in (5000, 5001, 5002)}
    places = {**ports, DATABASE: new_uri("postgresql"), BUCKET: s3.bucket()}
    steps = [placed(step, places) for step in sessions(PAGE)]
    assert sum(step.command.startswith(_SERVER) for step in steps) == 3
    with contextlib.ExitStack() as held:
        for step in steps:
            if step.command.startswith(_SERVER):
                held.enter_context(started(step.command, folder))
            else:
                perform(step, folder)
