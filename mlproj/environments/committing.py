"""The lock of a virtualenv as a file that is committed with a project, loaded only to write or check one."""

from __future__ import annotations

import contextlib

from mlproj.environments.paths import with_moved_paths
from mlproj.environments.question import COMMITTED, Question, committed_file
from mlproj.environments.resolve import read_committed
from mlproj.errors import UsageError
from mlproj.model.environment import Lock, LockFile


def pinned(question: Question) -> str | None:
    """The lock that is committed, for its versions to be kept; None where there is none that can be read.

    Raises UsageError where another tool's lock is the project's.
    """
    if question.spec.uv_lock is not None:
        raise UsageError(
            f"`{question.spec.uv_lock}` is the project's lock, and uv writes it",
            hint="`uv lock` brings it up to date, and `uv lock --check` tells whether it is",
        )
    held = _held(question)
    return None if held is None else held.text.decode()


def lock_file(question: Question, lock: Lock) -> LockFile:
    """What is to stand in the file that is committed already, else in the project's folder."""
    path = committed_file(question) or question.project / COMMITTED
    text = with_moved_paths(lock.text.decode(), question.project, path.parent)
    held = _held(question)
    return LockFile(
        path=str(path.relative_to(question.project)),
        text=text.encode(),
        is_current=held is not None and held.digest == lock.digest,
    )


def _held(question: Question) -> Lock | None:
    path = committed_file(question)
    if path is not None:
        with contextlib.suppress(ValueError, OSError):
            return read_committed(path, question.python, question.project)
    return None
