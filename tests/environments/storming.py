"""Programs that want one environment: many at once, and killed in the midst of a build."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest


def ask_at_once(script: Path, times: int = 10) -> set[str]:
    """What the program prints as often as it is run at once, all of which have to end well."""
    processes = [
        subprocess.Popen((sys.executable, script), stdout=subprocess.PIPE, text=True) for _ in range(times)
    ]
    told = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * times
    return told


def ask(script: Path) -> list[str]:
    """The words that the program prints."""
    return subprocess.run((sys.executable, script), capture_output=True, text=True, check=True).stdout.split()


def kill_once(script: Path, begun: Callable[[], bool], *, alone: bool = False) -> bool:
    """Kills the program, with what it started unless `alone`, once it has `begun`; whether it was there."""
    process = subprocess.Popen((sys.executable, script), stdout=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not begun() and time.monotonic() < deadline:
        time.sleep(0.001)
    (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_a_build(script: Path, cache: Path, *, alone: bool = False) -> None:
    """Kills the program, whose cache is `cache`, while it builds its first environment."""
    environments = cache / "environments"
    for _ in range(10):  # on a busy machine a build may end before it is killed
        shutil.rmtree(cache, ignore_errors=True)
        killed = kill_once(script, lambda: any(environments.glob("*/lib")), alone=alone)
        if killed and not any(environments.glob("*/mlproj.json")):
            return
    pytest.fail("no build could be killed in its midst")
