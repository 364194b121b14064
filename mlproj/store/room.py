"""Room on the disk: whether there is any, and a little that is kept back so that every run can be closed.

In the room that is kept back a run's ending is noted before it is sealed: it is there however full the disk
is, and whatever becomes of the sealing.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mlproj.files import read_regular, write_all

LEAST = 128 * 1024
"""Bytes without which SQLite cannot open a database for writing: its journal and the index of that."""
RESERVED = 256 * 1024
"""Bytes that sealing a run takes at most, when its logs lie in the store already and little was logged."""
PLENTY = 64 * 1024 * 1024
"""Bytes with which nobody need be sparing."""
LONGEST_NOTE = RESERVED - LEAST
_FILE, _END = "reserve", b"\0"


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


def note(workspace: Path, text: bytes) -> None:
    """Writes `text`, of at most `LONGEST_NOTE` bytes and without a NUL, where the room is kept back. Does
    nothing where that is gone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(workspace / _FILE, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(descriptor, text + _END)
        finally:
            os.close(descriptor)


def noted(workspace: Path) -> bytes:
    """What was noted; nothing where nothing was."""
    try:
        return read_regular(workspace / _FILE).partition(_END)[0]
    except OSError:
        return b""


def release(workspace: Path) -> None:
    """Gives back the room that was kept, but for what is noted in it."""
    with contextlib.suppress(OSError):
        os.truncate(workspace / _FILE, len(noted(workspace)))


def forget(workspace: Path) -> None:
    """Removes what is noted, once it is needed no more."""
    with contextlib.suppress(OSError):
        os.unlink(workspace / _FILE)
