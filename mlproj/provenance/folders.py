"""Walks over a folder of data in the order of its manifest, links followed as `find -L` does."""

from __future__ import annotations

import bisect
import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator

import msgspec

from mlproj.errors import DataError
from mlproj.model.digest import readable
from mlproj.provenance.batches import BATCH, Segment
from mlproj.provenance.reading import open_folder

Skip = Callable[[bytes, str], None]
"""Is told of a path that is no part of the data, and why."""

LOOP = "leads back to a folder above it"
STORE = "is a store of runs"
_OF_A_STORE = (b"blobs/", b"store.db")

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


class Moving(Exception):
    """What is at `path` is no longer what it was a moment ago."""

    def __init__(self, path: bytes, *, tried: bool = False) -> None:
        super().__init__(path)
        self.path = path
        self.tried = tried
        """Whether it was looked at often enough."""


class _Folder(msgspec.Struct):
    """A folder on the way down. `keys` are its names, a folder's with a `/`: sorted like this, a walk comes
    by its files in the order of their whole paths. `next` is the place in them."""

    path: bytes
    prefix: bytes
    place: tuple[int, int]
    changed: int
    keys: list[bytes]
    next: int = 0

    def holds(self, key: bytes) -> bool:
        place = bisect.bisect_left(self.keys, key)
        return self.keys[place : place + 1] == [key]

    def files(self) -> list[bytes]:
        """The names that follow, up to a folder's, and no more than a batch."""
        names = self.keys[self.next : self.next + BATCH]
        for number, name in enumerate(names):
            if name.endswith(b"/"):
                del names[number:]
                break
        self.next += len(names)
        return names


def walk_data(root: bytes, skip: Skip) -> Iterator[Segment]:
    """What lies below `root` (absolute) and is no folder, in the order of whole paths, byte by byte.

    `skip` is told of links that lead back to a folder above, and of stores of runs, ours among them: what is
    written there while we look is no data. Raises DataError where a folder cannot be read,
    and Moving where one was changed between the beginning and the end of the look at it.
    """
    stack = [_opened(root, b"")]
    above = {stack[0].place}
    while stack:
        folder = stack[-1]
        if names := folder.files():
            yield Segment(folder.path, folder.prefix, names)
        elif folder.next < len(folder.keys):
            key = folder.keys[folder.next]
            folder.next += 1
            below = _opened(folder.path + b"/" + key[:-1], folder.prefix + key)
            if below.place in above:
                skip(below.path, LOOP)
            elif all(map(below.holds, _OF_A_STORE)):
                skip(below.path, STORE)
            else:
                stack.append(below)
                above.add(below.place)
        else:
            _check(folder)
            above.remove(folder.place)
            stack.pop()


def is_link(path: bytes) -> bool:
    folder, _, name = path.rpartition(b"/")
    with contextlib.suppress(OSError):
        descriptor = open_folder(folder or b"/")
        try:
            return stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)
        finally:
            os.close(descriptor)
    return False


def unreadable(path: bytes, error: OSError) -> DataError:
    return DataError(
        f"cannot read `{readable(path)}`: {error.strerror}",
        hint="give yourself the right to read it, or keep it elsewhere" if _denied(error) else None,
    )


def _denied(error: OSError) -> bool:
    return error.errno in (errno.EACCES, errno.EPERM)


def _opened(path: bytes, prefix: bytes) -> _Folder:
    try:
        descriptor = open_folder(path)
        try:
            status = os.fstat(descriptor)
            keys = _keys(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _GONE:
            raise Moving(path) from error
        raise unreadable(path, error) from error
    return _Folder(
        path=path,
        prefix=prefix,
        place=(status.st_dev, status.st_ino),
        changed=status.st_mtime_ns,
        keys=keys,
    )


def _keys(descriptor: int) -> list[bytes]:
    keys = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name = entry.name.encode(_ENCODING, _ERRORS)
            try:
                keys.append(name + b"/" if entry.is_dir() else name)
            except OSError:  # a link to itself, or to where we may not look
                keys.append(name)
    keys.sort()
    return keys


def _check(folder: _Folder) -> None:
    """That nothing came or went in a folder since it was listed. Raises Moving."""
    try:
        descriptor = open_folder(folder.path)
    except OSError as error:
        raise Moving(folder.path) from error
    status = os.fstat(descriptor)
    os.close(descriptor)
    if (status.st_dev, status.st_ino) != folder.place or status.st_mtime_ns != folder.changed:
        raise Moving(folder.path)
