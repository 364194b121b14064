"""Reads the lock that an author keeps in the project, which says which packages an environment has."""

from __future__ import annotations

from pathlib import Path

from mlproj.environments.conda.configuration import public
from mlproj.environments.conda.failures import translated
from mlproj.environments.conda.request import platform_here
from mlproj.environments.conda.solver import locked_records, packages_of
from mlproj.environments.resolve import committed_lock
from mlproj.errors import EnvironmentFailed
from mlproj.files import read_regular
from mlproj.model.environment import Lock
from mlproj.spec.conda_lock import combined, interpreter, parted


def read_committed(path: Path, project: Path) -> Lock:
    """The packages for this machine in the lock file `path`; its paths are made relative to `project`.

    Raises ValueError where it cannot be used, and OSError.
    """
    parts = parted(public(read_regular(path).decode(errors="replace")))
    try:
        with translated("it cannot be read", path.name, ()):
            records = locked_records(path, platform_here())
    except EnvironmentFailed as error:
        raise ValueError(error.message.removeprefix("it cannot be read: ")) from error
    if records is None:
        raise ValueError(f"it holds nothing for `{platform_here()}`")
    lock = Lock(format="conda", packages=packages_of(records), text=parts.conda.encode())
    python = interpreter(lock, project)
    if parts.pylock is None or python is None:
        return lock
    pylock = committed_lock(parts.pylock.encode(), python, path.parent, project)
    return combined(lock, pylock, ())
