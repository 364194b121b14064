"""Paths of artifacts as everybody has to write them: relative, plain, and leading nowhere else."""

from __future__ import annotations

import os

from mlproj.errors import UsageError

LONGEST = 3000
"""Bytes of a path. The system's own limit is for whole paths, of which the store's folder is a part: whoever
keeps, copies or removes what is here names it so."""
LONGEST_NAME = 255
"""Bytes of a file's or a folder's name."""


def parts_of(path: str) -> tuple[str, ...]:
    """The names of a path. Raises UsageError for one that leads out, or is not in its plain form."""
    if not path:
        return ()
    parts = tuple(path.split("/"))
    try:
        lengths = [len(os.fsencode(part)) for part in parts]
    except UnicodeEncodeError as error:
        raise UsageError("Invalid path") from error
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise UsageError("Invalid path")
    if max(lengths) > LONGEST_NAME:
        raise UsageError(f"`{path[:100]}...` cannot be an artifact: a name has at most {LONGEST_NAME} bytes")
    if sum(lengths) + len(parts) - 1 > LONGEST:
        raise UsageError(f"`{path[:100]}...` cannot be an artifact: its path is longer than {LONGEST} bytes")
    return parts


def named(path: str) -> tuple[tuple[str, ...], str]:
    """The folders of a path that is to be written or removed, and the name in them. Raises UsageError."""
    *folders, name = parts_of(path) or ("",)
    if not name:
        raise UsageError("an artifact has a name")
    return tuple(folders), name
