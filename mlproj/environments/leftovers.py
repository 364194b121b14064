"""What lies in the cache beside environments and serves nobody: locks, skeletons, what was left halfway."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from mlproj.environments.cache import DISCARDED, read_marker
from mlproj.environments.locks import read_lock
from mlproj.environments.probing import kept_path
from mlproj.files import locked_now
from mlproj.ports import Leftover, Staying

_ABANDONED = 3600.0
"""Seconds after which what is being made aside can still be wanted by nobody."""

_STAT_CACHE = re.compile(r"(?:snapshot|data|file)-[0-9a-f]{32}")


def find_leftovers(cache: Path, staying: Staying) -> tuple[Leftover, ...]:
    """What nobody will miss: what was cut short, what holds for something that is gone, and what does not
    stay."""
    return (*_environments(cache), *_locks(cache, staying), *_others(cache, staying.caches_since))


def remove_leftover(leftover: Leftover) -> bool:
    """Removes it; False where somebody has come to want it."""
    path = leftover.path
    lock = path if leftover.kind == "lock file" else path.with_name(f"{path.name}.lock")
    with contextlib.ExitStack() as stack:
        if lock.exists() and not stack.enter_context(locked_now(lock)):
            return False
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return True


def _environments(cache: Path) -> Iterator[Leftover]:
    """Builds that were cut short, and lock files without an environment."""
    for path in sorted((cache / "environments").glob("*")):
        if path.is_dir() and read_marker(path) is None:
            if not path.name.startswith(DISCARDED) or time.time() - _changed(path) > _ABANDONED:
                yield from _unlocked(path, "unfinished build", path.with_name(f"{path.name}.lock"))
        elif path.suffix in (".lock", ".use") and not path.with_suffix("").is_dir():
            yield from _unlocked(path, "lock file", path)


def _locks(cache: Path, staying: Staying) -> Iterator[Leftover]:
    for path in sorted((cache / "locks").glob("*")):
        if path.suffix == ".lock":
            yield from _unlocked(path, "lock file", path)
        elif path.suffix == ".json" and _changed(path) < staying.locks_since:
            lock = read_lock(path)
            if lock is None or lock.digest not in staying.locks:
                yield _leftover(path, "lock")
    for path in sorted((cache / "claims").glob("*")):
        yield from _unlocked(path, "lock file", path)


def _others(cache: Path, since: float) -> Iterator[Leftover]:
    for path in sorted((cache / "skeletons").glob("*")):
        if path.name.startswith(".making-"):
            abandoned = time.time() - _changed(path) > _ABANDONED
        else:
            abandoned = _changed(path) < since or not (path / "bin" / "python").exists()
        if abandoned:
            yield _leftover(path, "skeleton")
    for path in sorted((cache / "interpreters").glob("*.json")):
        if not _names_an_executable(path):
            yield _leftover(path, "interpreter")
    for path in sorted(cache.glob("*-*")):
        if _STAT_CACHE.fullmatch(path.name) and _read(path) < since:
            yield _leftover(path, "stat cache")


def _names_an_executable(path: Path) -> bool:
    executable = kept_path(path)
    return executable is not None and os.path.exists(executable)


def _unlocked(path: Path, kind: str, lock: Path) -> Iterator[Leftover]:
    """The path as a leftover, unless somebody holds the lock."""
    if not lock.exists():
        yield _leftover(path, kind)
        return
    with locked_now(lock) as free:
        pass
    if free:
        yield _leftover(path, kind)


def _leftover(path: Path, kind: str) -> Leftover:
    size = 0
    with contextlib.suppress(OSError):
        files = path.rglob("*") if path.is_dir() else (path,)
        size = sum(file.lstat().st_size for file in files if not file.is_dir() or file.is_symlink())
    return Leftover(path=path, kind=kind, size=size)


def _read(path: Path) -> float:
    """When a file was last read or written, as far as the file system notes it."""
    try:
        state = path.stat()
    except OSError:
        return time.time()
    return max(state.st_mtime, state.st_atime)


def _changed(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return time.time()
