"""`mlproj env build` and `env lock`: a project's environment made ready, or its lock written, with no run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from mlproj.errors import EnvironmentFailed, ProjectError, UsageError
from mlproj.files import write_atomically
from mlproj.model.environment import EnvironmentSpec, LockedEnvironment, LockFile
from mlproj.model.events import Ended, Report, Started
from mlproj.ports import Environment
from mlproj.services.fetching import fetched
from mlproj.services.interrupts import interruptible
from mlproj.services.locking import locked_environment
from mlproj.services.occupancy import in_use
from mlproj.services.request import Context, RunRequest, Tools
from mlproj.services.specifying import specified
from mlproj.spec import read_project


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A project's environment as it is asked for, and who serves it."""

    environment: Environment
    context: Context
    specification: EnvironmentSpec


class Locking(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a project's own lock: its file, what it locks, and whether it was written."""

    written: bool
    file: LockFile
    locked: LockedEnvironment


def build(request: RunRequest, tools: Tools, report: Report) -> LockedEnvironment:
    """Has the environment of a project built, as a run of it would, and says what it is.

    Raises UsageError, ProjectError or EnvironmentFailed.
    """
    with _asked(request, tools, report) as asked:
        locked = locked_environment(asked.context, asked.environment, asked.specification, resolve=True)
        report(Started(stage="build", detail=locked.because))
        with in_use(tools.cache, locked.key):
            asked.environment.build(locked, asked.context.checkout.directory, report)
        report(Ended(stage="build"))
        return locked


def lock(request: RunRequest, tools: Tools, report: Report, *, check: bool) -> Locking:
    """Has the project's own lock file be what its environment asks for; with `check` nothing is written.

    Raises UsageError, ProjectError or EnvironmentFailed, the last also where there is nothing to lock.
    """
    with _asked(request, tools, report) as asked:
        checkout = asked.context.checkout
        if checkout.own and not check:
            raise UsageError(
                f"a lock is written into the project's folder, and `{checkout.uri}` is none",
                hint="name a folder, or check the lock with `--check`",
            )
        locked = locked_environment(
            asked.context, asked.environment, asked.specification, resolve=True, to_commit=True
        )
        if locked.file is None:
            raise EnvironmentFailed(
                f"there is nothing to lock: {locked.because}",
                hint="`--env-manager virtualenv` locks what a virtualenv would hold",
            )
        written = not check and not locked.file.is_current
        if written:
            path = checkout.directory / locked.file.path
            try:
                write_atomically(path, locked.file.text, mode=0o644)
            except OSError as error:
                raise ProjectError(f"`{path}` cannot be written: {error.strerror}") from error
        return Locking(file=locked.file, locked=locked, written=written)


@contextlib.contextmanager
def _asked(request: RunRequest, tools: Tools, report: Report) -> Iterator[Asked]:
    with interruptible(), fetched(request, tools, report) as checkout:
        project = read_project(checkout.directory)
        context = Context(request=request, checkout=checkout, tools=tools, report=report)
        specification = specified(context, project)
        yield Asked(
            context=context,
            specification=specification,
            environment=tools.environments(specification),
        )
