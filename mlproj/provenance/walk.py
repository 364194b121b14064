"""Walks over folders: one for source without git, one over data that follows links as `find -L` does."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from mlproj.errors import DataError
from mlproj.provenance.rules import CONDA, TRACKING, UNREADABLE, VIRTUALENV, Sieve

LeaveOut = Callable[[bytes, str], None]
"""Is told of a path that stays out (a folder's ends with `/`), and why."""


def walk_source(
    root: bytes, folder: bytes, sieve: Sieve, leave_out: LeaveOut
) -> Iterator[tuple[bytes, bool]]:
    """The files below `root`/`folder` (relative to the root, links not followed) that the sieve lets through.

    A folder below that is a git repository of its own comes as one pair with True; its inside is not walked.
    """
    yield from _walk_source(root, folder, sieve, leave_out, top=True)


def _walk_source(
    root: bytes, folder: bytes, sieve: Sieve, leave_out: LeaveOut, *, top: bool
) -> Iterator[tuple[bytes, bool]]:
    try:
        entries = sorted(os.scandir(os.path.join(root, folder)), key=lambda entry: entry.name)
    except OSError:
        leave_out(folder + b"/", UNREADABLE)
        return
    names = {entry.name for entry in entries}
    if not top and (b"pyvenv.cfg" in names or b"conda-meta" in names):
        leave_out(folder + b"/", VIRTUALENV if b"pyvenv.cfg" in names else CONDA)
        return
    if not top and {b"store.db", b"blobs"} <= names:
        leave_out(folder + b"/", TRACKING)
        return
    if not top and b".git" in names:
        yield folder, True
        return
    for entry in entries:
        path = folder + b"/" + entry.name if folder else entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path, False
        elif found := sieve.folder(path):
            leave_out(*found)
        elif (output := sieve.output(path)) is not None:
            leave_out(output + b"/", "")
        else:
            yield from _walk_source(root, path, sieve, leave_out, top=False)


def walk_data(
    root: bytes, skip: Callable[[bytes, str], None]
) -> Iterator[tuple[bytes, bytes, os.stat_result]]:
    """The regular files below `root`, links followed: path from there, whole path, and what `stat` says.

    `skip` is told of what is neither file nor folder, of links that lead nowhere, and of loops. Raises
    DataError where a folder cannot be read.
    """
    status = os.stat(root)
    yield from _walk_data(root, b"", ((status.st_dev, status.st_ino),), skip)


def _walk_data(
    folder: bytes, prefix: bytes, above: tuple[tuple[int, int], ...], skip: Callable[[bytes, str], None]
) -> Iterator[tuple[bytes, bytes, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(f"cannot read folder `{os.fsdecode(folder)}`: {error.strerror}") from error
    for entry in entries:
        try:
            status = entry.stat()
        except OSError as error:
            skip(entry.path, "leads nowhere" if entry.is_symlink() else error.strerror or UNREADABLE)
            continue
        if stat.S_ISREG(status.st_mode):
            yield prefix + entry.name, entry.path, status
        elif stat.S_ISDIR(status.st_mode):
            place = (status.st_dev, status.st_ino)
            if place in above:
                skip(entry.path, "leads back to a folder above it")
            else:
                yield from _walk_data(entry.path, prefix + entry.name + b"/", (*above, place), skip)
        else:
            skip(entry.path, "is neither a file nor a folder")
