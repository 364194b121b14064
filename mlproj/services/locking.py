"""Decides an environment's exact content as a person wants it: anew, as before, or as of an instant."""

from __future__ import annotations

from mlproj.errors import UsageError
from mlproj.model.digest import Digest
from mlproj.model.environment import EnvironmentSpec, LockedEnvironment
from mlproj.model.events import Ended, Note, Started
from mlproj.model.run import EnvironmentState
from mlproj.ports import Environment, Resolving
from mlproj.services.request import Context
from mlproj.spec.docker_arguments import shown
from mlproj.spec.instant import COMMIT


def locked_environment(
    context: Context,
    environment: Environment,
    specification: EnvironmentSpec,
    *,
    resolve: bool,
    to_commit: bool = False,
) -> LockedEnvironment:
    """What the environment will hold; without `resolve` there may be no lock yet, and with `to_commit` it
    comes with the file that it is to be committed as.

    Where the instant that was asked for counts for nothing, a note says so. Raises EnvironmentFailed, and
    UsageError where the instant is that of a commit, and there is none.
    """
    request, report = context.request, context.report
    report(Started(stage="lock", detail=specification.because))
    resolving = Resolving(
        refresh=request.refresh,
        resolve=resolve,
        as_of=_instant(context),
        to_commit=to_commit,
        recorded=request.recorded,
    )
    locked = environment.lock(specification, context.checkout.directory, report, resolving)
    if resolving.as_of is not None and locked.as_of is None:
        report(Note(message=f"`--as-of` changes nothing, since nothing is resolved here: {locked.because}"))
    report(Ended(stage="lock"))
    return locked


def environment_state(locked: LockedEnvironment) -> EnvironmentState:
    """What is recorded and shown of an environment that is decided."""
    lock, python = locked.lock, locked.python
    return EnvironmentState(
        kind=locked.kind,
        python=None if python is None else python.version,
        executable=None if python is None else str(python.executable),
        platform=locked.platform,
        lock=None if lock is None else lock.digest,
        lock_format=None if lock is None else lock.format,
        lock_file=None if lock is None else Digest.of(lock.text),
        packages=0 if lock is None else len(lock.packages),
        key=locked.key,
        because=locked.because,
        as_of=locked.as_of,
        image=locked.image,
        options=() if locked.launch is None else shown(locked.launch.arguments),
    )


def _instant(context: Context) -> str | None:
    asked = context.request.as_of
    if asked != COMMIT:
        return asked
    date = context.tools.observer.commit_date(context.checkout, context.report)
    if date is None:
        raise UsageError(
            "`--as-of commit` means the date of the source's commit, and the source is at none",
            hint="give a date, such as `--as-of 2024-01-31`",
        )
    return date
