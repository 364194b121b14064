"""Walks over the folders of source without git."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from mlproj.provenance.reading import open_folder
from mlproj.provenance.rules import CONDA, TRACKING, UNREADABLE, VIRTUALENV, Sieve

_REPOSITORY = "a repository of its own"

LeaveOut = Callable[[bytes, str], None]
"""Is told of a path that stays out (a folder's ends with `/`), and why."""


def walk_source(
    root: bytes, folder: bytes, sieve: Sieve, leave_out: LeaveOut
) -> Iterator[tuple[bytes, bool]]:
    """The files below `root`/`folder` (relative to the root, links not followed) that the sieve lets through.

    A folder below that is a git repository of its own comes as one pair with True; its inside is not walked.
    """
    todo = [folder]
    while todo:
        at = todo.pop()
        listed = _listed(root + b"/" + at if at else root)
        if listed is None:
            leave_out(at + b"/", UNREADABLE)
            continue
        if at != folder:
            marked = _marked(at, {name for name, _ in listed})
            if marked == _REPOSITORY:
                yield at, True
                continue
            if marked is not None:
                leave_out(at + b"/", marked)
                continue
        for name, is_folder in listed:
            path = at + b"/" + name if at else name
            if not is_folder:
                yield path, False
            elif found := sieve.folder(path):
                leave_out(*found)
            elif (output := sieve.output(path)) is not None:
                leave_out(output + b"/", "")
            else:
                todo.append(path)


def _listed(folder: bytes) -> list[tuple[bytes, bool]] | None:
    """Names, and which of them are folders; None where the folder cannot be read."""
    try:
        descriptor = open_folder(folder)
    except OSError:
        return None
    try:
        with os.scandir(descriptor) as entries:
            return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _marked(folder: bytes, names: set[bytes]) -> str | None:
    """What a folder is by what lies in it, if that keeps it from being walked."""
    if b"pyvenv.cfg" in names:
        return VIRTUALENV
    if b"conda-meta" in names:
        return CONDA
    if {b"store.db", b"blobs"} <= names:
        return TRACKING
    return _REPOSITORY if b".git" in names else None
