"""Sums up many files of a folder as one thing, so that a record names a collection and not its images."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import msgspec

MOST_SINGLE = 10
"""So many files (or folders that were summed up) of a folder are named one by one."""
_SHALLOW = 2
"""How many names the path has at least of a folder that is summed up: of `/data` it says nothing."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file, where `names` is empty; else a folder, and which files in it, sorted."""

    path: str
    names: tuple[str, ...] = ()


def grouped(files: Iterable[str], apart: Collection[str]) -> tuple[Found, ...]:
    """The files, absolute paths, with folders in place of those of which there are many in one.

    The folders in `apart`, and those above them, are never summed up: the project's, and the home folder.
    """
    levels: dict[int, dict[str, list[Found]]] = {}
    for path in files:
        _put(levels, Found(path=path))
    done: list[Found] = []
    for depth in range(max(levels, default=0), -1, -1):
        for folder, items in levels.pop(depth, {}).items():
            whole = depth >= _SHALLOW and not any(_holds(folder, other) for other in apart)
            if whole and len(items) > MOST_SINGLE:
                items = [_summed(folder, items)]
            if depth == 0:
                done += items
            for item in items if depth else ():
                _put(levels, item, folder)
    return tuple(sorted(done, key=lambda found: found.path))


def _put(levels: dict[int, dict[str, list[Found]]], item: Found, below: str | None = None) -> None:
    folder = os.path.dirname(item.path if below is None else below)
    depth = 0 if folder == "/" else folder.count("/")
    levels.setdefault(depth, {}).setdefault(folder, []).append(item)


def _summed(folder: str, items: Iterable[Found]) -> Found:
    below = ((item.path[len(folder) + 1 :], item.names) for item in items)
    names = (f"{path}/{name}" if name else path for path, names in below for name in (names or ("",)))
    return Found(path=folder, names=tuple(sorted(names, key=os.fsencode)))


def _holds(folder: str, other: str) -> bool:
    return other == folder or other.startswith(folder.rstrip("/") + "/")
