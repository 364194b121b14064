"""A bench to run commands on: an executor, a log folder, and every event that was reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlproj.execution.local import LocalExecutor
from mlproj.model.events import ChildOutput, Event, Note
from mlproj.ports import Execution, Task


@dataclass(slots=True, kw_only=True)
class Bench:
    """Runs shell commands through a LocalExecutor that does not wait long."""

    directory: Path
    events: list[Event] = field(default_factory=list)

    def task(self, command: str, *, timeout: float | None = None, **variables: str) -> Task:
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        return Task(
            argv=("bash", "-c", command),
            directory=self.directory,
            environ={**os.environ, **variables},
            logs=logs,
            timeout=timeout,
        )

    def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        patience: float = 0.3,
        grace: float = 0.3,
        **variables: str,
    ) -> Execution:
        executor = LocalExecutor(terminal=(False, False), patience=patience, grace=grace)
        return executor.execute(self.task(command, timeout=timeout, **variables), self.events.append)

    def log(self, name: str) -> bytes:
        return (self.directory / "logs" / name).read_bytes()

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Note)]

    def reported(self, stream: str) -> bytes:
        outputs = (event for event in self.events if isinstance(event, ChildOutput))
        return b"".join(event.data for event in outputs if event.stream == stream)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(directory=tmp_path)


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Whether a process has ended, be it that nobody waited for it yet."""

    def gone(pid: int) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        return state in "ZX"

    return gone
