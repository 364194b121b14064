"""Digests remembered by what `stat` says of a file, so that an unchanged one need not be read again.

As git does it: an entry counts only while device, inode, size and both times are the same, and is kept only
for a file that had been left alone for a while when it was read, since a change within the clock's grain
would show in none of these. A cache that is damaged is an empty one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import time
from pathlib import Path

import msgspec

from mlproj.files import write_atomically

_STAT = struct.Struct("=QQqqq")
_HEAD = b"mlproj stat cache 1\n"
_DIGEST_LENGTH = 32
GRAIN = 2_000_000_000
"""Nanoseconds that a file must have been left alone for: the coarsest clock of a file system is FAT's."""

fingerprint = _STAT.pack


def fingerprint_of(status: os.stat_result) -> bytes:
    """The bytes that two equal states of a file have in common."""
    return _STAT.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class StatCache:
    """The remembered digests of the files below one folder, by their path from there.

    Not shared while in use: it is read once, and put back whole by `save`. Of two processes that save at
    once one wins, and the other's files are read again some day.
    """

    def __init__(self, folder: Path, root: Path, *, purpose: str) -> None:
        key = hashlib.sha256(b"%s\0%s" % (purpose.encode(), os.fsencode(root))).hexdigest()
        self._file = folder / f"{purpose}-{key[:32]}"
        self._known = _load(self._file)
        self._used: dict[bytes, bytes] = {}
        self._changed = False

    def get(self, path: bytes, print_: bytes) -> bytes | None:
        """The SHA-256 (32 bytes) of the file in the state `print_`, if it is known."""
        entry = self._known.get(path)
        if entry is None or not entry.startswith(print_):
            return None
        self._used[path] = entry
        return entry[_STAT.size :]

    def put(self, path: bytes, status: os.stat_result, digest: bytes, read_at: int) -> None:
        """Remembers a digest of a file that was in state `status` before and after it was read.

        `read_at` is when reading began, in nanoseconds of the clock.
        """
        if max(status.st_mtime_ns, status.st_ctime_ns) + GRAIN < read_at:
            self._used[path] = fingerprint_of(status) + digest
            self._changed = True

    def save(self) -> None:
        """Puts the cache back, without the entries that were not asked for; never fails."""
        if not self._changed and len(self._used) == len(self._known):
            return
        payload = msgspec.msgpack.encode(self._used)
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._file, _HEAD + hashlib.sha256(payload).digest() + payload, sync=False)


def now() -> int:
    return time.time_ns()


def _load(file: Path) -> dict[bytes, bytes]:
    try:
        content = file.read_bytes()
        payload = memoryview(content)[len(_HEAD) + _DIGEST_LENGTH :]
        if content[: len(_HEAD) + _DIGEST_LENGTH] != _HEAD + hashlib.sha256(payload).digest():
            return {}
        return msgspec.msgpack.decode(payload, type=dict[bytes, bytes])
    except (OSError, msgspec.DecodeError):
        return {}
