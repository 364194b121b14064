"""Runs a task as a process of this machine, in a session of its own."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlproj import settings
from mlproj.errors import ProjectError
from mlproj.execution import signals, streams
from mlproj.execution.adoption import adopting
from mlproj.execution.recording import Recorder
from mlproj.execution.stalls import Stalls, freed
from mlproj.execution.streams import Channel
from mlproj.execution.supervision import Limits, Supervision
from mlproj.model.events import Report
from mlproj.model.moment import timestamp
from mlproj.model.run import STREAMS
from mlproj.ports import Execution, Task

if TYPE_CHECKING:
    from mlproj.execution.confinement import Confined


class LocalExecutor:
    """The Executor for this machine.

    `log_limit` is how many bytes are kept of each stream. `terminal` says for standard output and standard
    error whether they are shown on a terminal, so that the child gets a pseudo-terminal for them (by default,
    what ours are). `patience` is the time in seconds between interrupt, termination and kill, `grace` the
    time for what is still open at the child's end.
    """

    def __init__(
        self,
        *,
        log_limit: int = settings.Limits().log,
        terminal: tuple[bool, bool] | None = None,
        patience: float = 3.0,
        grace: float = 0.3,
    ) -> None:
        self._log_limit = log_limit
        self._terminal = (os.isatty(1), os.isatty(2)) if terminal is None else terminal
        self._patience = patience
        self._grace = grace

    def execute(self, task: Task, report: Report) -> Execution:
        """Runs the task to its end; see `ports.Executor`. Standard input is ours."""
        limits = Limits(patience=self._patience, grace=self._grace, timeout=task.timeout)
        with contextlib.ExitStack() as stack:
            stack.enter_context(adopting())
            ends = None if task.timeout is None else time.monotonic() + task.timeout
            stalls = Stalls(ends)
            wakeups = stack.enter_context(signals.listening(stalls.hear))
            stack.enter_context(streams.modes_kept(0))
            recorder = stack.enter_context(
                Recorder(task.logs, freed(report, stalls), self._log_limit, secrets=task.secrets)
            )
            channels = [
                stack.enter_context(streams.opened(name, shown_on=descriptor if shown else None))
                for descriptor, (name, shown) in enumerate(zip(STREAMS, self._terminal, strict=True), start=1)
            ]
            inner = None if task.confinement is None else stack.enter_context(_confined(task, limits))
            began_at, begun = time.time(), time.monotonic()
            stack.enter_context(stalls.watching())
            process = _start(task if inner is None else inner.task, channels)
            run_id = task.environ.get("MLPROJ_RUN_ID")
            supervision = Supervision(
                process.pid, begun, recorder, limits, run_id=run_id, is_shell=inner is not None
            )
            try:
                supervision.watch(channels, wakeups)
            finally:
                # The loop waited for it, to learn what it used up; Popen is only told.
                process.returncode = supervision.exit_code
            exit_code = supervision.exit_code
            assert exit_code is not None
            if inner is not None:
                recorder.flush()
                exit_code = inner.exit_code(exit_code, task.logs)
        usage = supervision.usage()
        return Execution(
            exit_code=exit_code,
            started=timestamp(began_at),
            ended=timestamp(began_at + usage.wall_s),
            usage=usage,
            timed_out=supervision.timed_out,
            interrupted=supervision.interrupted,
        )


def _confined(task: Task, limits: Limits) -> contextlib.AbstractContextManager[Confined]:
    # Most runs have no use for it.
    module = importlib.import_module("mlproj.execution.confinement")
    confined: contextlib.AbstractContextManager[Confined] = module.confined(
        task, grace=limits.grace, patience=limits.patience
    )
    return confined


def _start(task: Task, channels: Sequence[Channel]) -> subprocess.Popen[bytes]:
    stdout, stderr = (channel.theirs for channel in channels)
    try:
        process = subprocess.Popen(
            task.argv,
            cwd=task.directory,
            env=task.environ,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=task.descriptors,
        )
    except (OSError, ValueError) as error:
        raise _not_started(task, error) from error
    stdout.close()
    stderr.close()
    return process


def _not_started(task: Task, error: OSError | ValueError) -> ProjectError:
    program = task.argv[0]
    if not task.directory.is_dir():
        return ProjectError(f"there is no folder `{task.directory}` to run in")
    if isinstance(error, FileNotFoundError):
        return ProjectError(
            f"the program `{program}` was not found", hint="look at `PATH`, or install the program"
        )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ProjectError(f"the program `{program}` cannot be started: {reason}")
