"""Reads the lock that an author keeps in the project, which says which packages an environment has."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from mlproj.environments.conda.addresses import public
from mlproj.environments.conda.calling import Rattler
from mlproj.environments.conda.channels import platform_here
from mlproj.environments.conda.orders import Reading
from mlproj.environments.paths import with_moved_paths
from mlproj.environments.recorded import unusable
from mlproj.environments.resolve import committed_lock
from mlproj.errors import EnvironmentFailed
from mlproj.files import read_regular
from mlproj.model.environment import Lock, LockFile
from mlproj.model.events import silent
from mlproj.spec.conda_lock import combined, interpreter, parted, with_variables


def read_committed(path: Path, project: Path, rattler: Rattler) -> Lock:
    """The packages for this machine in the lock file `path`; its paths are made relative to `project`.

    Raises ValueError where it cannot be used, and OSError.
    """
    return _read(read_regular(path), path.parent, project, rattler)


def _read(text: bytes, folder: Path, project: Path, rattler: Rattler) -> Lock:
    parts = parted(public(text.decode(errors="replace")))
    try:
        lock = rattler.locked(Reading(lock=parts.conda, platform=platform_here()), silent)
    except EnvironmentFailed as error:
        raise ValueError(error.message.removeprefix("it cannot be read: ")) from error
    python = interpreter(lock, project)
    if parts.pylock is None or python is None:
        return lock
    pylock = committed_lock(parts.pylock.encode(), python, folder, project)
    return combined(lock, pylock, ())


def recorded_lock(text: bytes, project: Path, rattler: Rattler) -> Lock:
    """The lock of an earlier run, whose paths are relative to `project`, with the variables that it sets.

    Raises EnvironmentFailed where it is not for this machine.
    """
    try:
        lock = _read(text, project, project, rattler)
        return with_variables(lock, parted(text.decode(errors="replace")).variables)
    except ValueError as error:
        raise unusable(error) from error


def lock_file(path: Path, project: Path, lock: Lock, held: Lock | None) -> LockFile:
    """What is to stand in the file `path` of the project, where `held` is what stands there."""
    parts = parted(lock.text.decode())
    if parts.pylock is not None:
        parts = structs.replace(parts, pylock=with_moved_paths(parts.pylock, project, path.parent))
    return LockFile(
        path=str(path.relative_to(project)),
        text=parts.joined().encode(),
        is_current=held is not None and held.digest == lock.digest,
    )
