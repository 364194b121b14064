"""What a page starts in the background while it goes on: servers, at ports of this machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.conftest import ending
from tests.docs.console import Step
from tests.mlflow_servers import wait_for


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
        # A model's environment may have to be built first.
        wait_for(address, process, log, patience=300)
        yield


def placed(step: Step, places: dict[str, str]) -> Step:
    """The step with the addresses of this machine for those of the page."""
    for shown, here in places.items():
        step = step.at(shown, here)
        step = replace(step, command=step.command.replace(f"--port {shown[-4:]}", f"--port {here[-5:]}"))
    return step
