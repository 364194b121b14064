"""The lock of an earlier run, taken as it was recorded for an environment of this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlproj.environments.interpreters import Interpreters
from mlproj.environments.resolve import committed_lock
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Interpreter, Lock, RecordedLock
from mlproj.model.events import Note, Report


def recorded_python(
    interpreters: Interpreters, wanted: RecordedLock, project: Path, report: Report
) -> Interpreter:
    """The Python that the run had; where it cannot be had, the nearest of the same minor version, with a
    note. Raises EnvironmentFailed."""
    finding = replace(interpreters, offline=interpreters.offline or wanted.offline)
    if wanted.python is None:
        return finding.find(None, project, report)
    try:
        return finding.find(wanted.python, project, report)
    except EnvironmentFailed as error:
        minor = ".".join(wanted.python.split(".")[:2])
        try:
            found = finding.find(minor, project, report)
        except EnvironmentFailed:
            raise error from None
        report(Note(message=f"the run had Python {wanted.python}, and this is {found.version}"))
        return found


def recorded_lock(wanted: RecordedLock, python: Interpreter, project: Path) -> Lock:
    """The packages of the lock that are for this Python, as they were recorded. Raises EnvironmentFailed."""
    try:
        return committed_lock(wanted.text, python, project, project)
    except ValueError as error:
        raise unusable(error) from error


def unusable(error: ValueError) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the lock that was recorded cannot be used here: {error}",
        hint="have the Python that the run had, or give another lock with `--override-env FILE`",
    )
