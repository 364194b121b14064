"""How an attempt ended, in a status and a sentence: told by its execution, or by what kept it from one."""

from __future__ import annotations

import signal

from mlproj.errors import Interrupted, MlprojError
from mlproj.model.run import Status
from mlproj.ports import Execution

NOT_FOUND = 127
"""What a shell ends with where a command names no program (POSIX, 2.8.2)."""


def ended_as(execution: Execution | None, failure: BaseException | None) -> tuple[Status, str | None]:
    """The run's status, and one sentence of why where it is not FINISHED."""
    if isinstance(failure, Interrupted):
        return Status.KILLED, f"interrupted by {_signal_name(failure.signal_number)}"
    if isinstance(failure, MlprojError):
        return Status.FAILED, failure.message
    if failure is not None:
        return Status.FAILED, f"internal error: {type(failure).__name__}: {failure}"
    assert execution is not None, "an attempt that did not fail has executed"
    if execution.interrupted is not None:
        return Status.KILLED, f"interrupted by {_signal_name(execution.interrupted)}"
    if execution.timed_out:
        return Status.FAILED, f"timed out after {execution.usage.wall_s:.1f} s"
    if execution.out_of_memory and execution.exit_code != 0:
        return Status.FAILED, "the entry point ran out of the memory that its container may use"
    if execution.exit_code < 0:
        return Status.FAILED, f"the entry point was ended by {_signal_name(-execution.exit_code)}"
    if execution.exit_code == NOT_FOUND:
        return Status.FAILED, f"the shell did not find a program of the command (exit code {NOT_FOUND})"
    if execution.exit_code > 0:
        return Status.FAILED, f"the entry point ended with exit code {execution.exit_code}"
    return Status.FINISHED, None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
