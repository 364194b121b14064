"""What every executor does, whatever place it runs a task in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.execution.docker import DockerExecutor
from mlproj.execution.local import LocalExecutor
from mlproj.model.environment import Confinement, Container, Mount
from mlproj.model.events import ChildOutput, Event, Report
from mlproj.planning.containers import CODE
from mlproj.ports import Execution, Executor, Task
from tests.conftest import need
from tests.engines import DEBIAN, client, debian

__all__ = ["client", "debian"]

CONTAINER = Container(image=DEBIAN, user=f"{os.getuid()}:{os.getgid()}")
ISOLATED = "isolated"
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "local": lambda: LocalExecutor(terminal=(False, False), patience=0.2),
    "local on a terminal": lambda: LocalExecutor(terminal=(True, True), patience=0.2),
    ISOLATED: lambda: LocalExecutor(terminal=(False, False), patience=0.2),
    "isolated on a terminal": lambda: LocalExecutor(terminal=(True, True), patience=0.2),
    "docker": lambda: DockerExecutor(CONTAINER, patience=0.2),
}


@pytest.fixture(params=EXECUTORS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        request.getfixturevalue("debian")
    if request.param.startswith(ISOLATED):
        need("bubblewrap", shutil.which("bwrap") is not None)
    return str(request.param)


class Placed:
    """An executor of some kind, and what has to be said to it of a task."""

    def __init__(self, kind: str) -> None:
        self._executor = EXECUTORS[kind]()
        self._is_isolated = kind.startswith(ISOLATED)

    def execute(self, task: Task, report: Report) -> Execution:
        if self._is_isolated:
            place = str(task.directory)
            mounts = (Mount(source=place, target=place),)
            task = replace(task, confinement=Confinement(), mounts=mounts)
        return self._executor.execute(task, report)


@pytest.fixture
def executor(kind: str) -> Executor:
    return Placed(kind)


def task(folder: Path, command: str, timeout: float | None = None) -> Task:
    return Task(
        argv=("bash", "-c", command),
        directory=folder,
        environ={**os.environ, "GIVEN": "a value"},
        logs=folder,
        timeout=timeout,
    )


def ignore(_event: Event) -> None:
    pass


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", -9)])
def test_it_returns_the_exit_code(executor: Executor, tmp_path: Path, command: str, code: int) -> None:
    execution = executor.execute(task(tmp_path, command), ignore)
    assert (execution.exit_code, execution.timed_out, execution.interrupted) == (code, False, None)


def test_it_records_and_reports_both_streams(executor: Executor, tmp_path: Path) -> None:
    events: list[Event] = []
    executor.execute(task(tmp_path, r"printf 'a\nb'; printf '\377\r\n' >&2"), events.append)
    for stream, expected in (("stdout", b"a\nb"), ("stderr", b"\xff\r\n")):
        said = (event for event in events if isinstance(event, ChildOutput) and event.stream == stream)
        assert (tmp_path / stream).read_bytes() == b"".join(event.data for event in said) == expected
    times = [line.split() for line in (tmp_path / "times").read_text().splitlines()]
    assert sum(int(length) for _, stream, length in times if stream == "stdout") == 3
    assert all(float(seconds) >= 0 for seconds, _, _ in times)


def test_it_runs_in_the_folder_with_the_variables(executor: Executor, kind: str, tmp_path: Path) -> None:
    executor.execute(task(tmp_path, 'pwd; echo "$GIVEN"; touch made'), ignore)
    folder = CODE if kind == "docker" else tmp_path
    assert (tmp_path / "stdout").read_text() == f"{folder}\na value\n"
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_it_stops_at_the_timeout(executor: Executor, tmp_path: Path) -> None:
    execution = executor.execute(task(tmp_path, "trap '' INT TERM; sleep 60; sleep 60", 0.3), ignore)
    assert execution.timed_out and execution.exit_code != 0
    assert execution.usage.wall_s < 5


def test_it_tells_times_and_usage(executor: Executor, tmp_path: Path) -> None:
    execution = executor.execute(task(tmp_path, "sleep 0.1"), ignore)
    assert execution.started < execution.ended
    assert 0.1 <= execution.usage.wall_s < 2
    assert execution.usage.cpu_s < 1 and execution.usage.peak_rss_bytes > 0
