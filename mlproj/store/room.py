"""Room on the disk: whether there is any, and a little that is kept back so that every run can be closed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LEAST = 128 * 1024
"""Bytes without which SQLite cannot open a database for writing: its journal and the index of that."""
RESERVED = 256 * 1024
"""Bytes that sealing a run takes at most, when its logs lie in the store already."""
_FILE = "reserve"


def has_room(folder: Path, least: int = LEAST) -> bool:
    """Whether the disk has so many bytes left, by default what opening a database takes; also where nobody
    can tell."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return True
    free = state.f_bfree if os.geteuid() == 0 else state.f_bavail
    return state.f_blocks == 0 or free * state.f_frsize >= least


def reserve(workspace: Path) -> None:
    """Takes room in a run's folder that `release` gives back. Raises OSError where there is none left."""
    descriptor = os.open(workspace / _FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, RESERVED)
    finally:
        os.close(descriptor)


def release(workspace: Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(workspace / _FILE)
