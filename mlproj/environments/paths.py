"""Moves a lock file to another folder: its paths of local packages are relative to the folder it lies in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

_PATH = re.compile(r'(?P<key>\bpath\s*=\s*)(?:"(?P<basic>(?:\\.|[^"\\])*)"|\'(?P<literal>[^\']*)\')')
_ESCAPE = re.compile(r'\\(["\\])')


def with_absolute_paths(text: str, folder: Path) -> str:
    """The lock with its relative paths, which are relative to `folder`, made absolute."""
    return _with_paths(text, lambda path: os.path.normpath(folder / path))


def with_moved_paths(text: str, folder: Path, other: Path) -> str:
    """The lock with paths that are relative to `folder` made relative to `other`."""
    return text if folder == other else _with_paths(text, lambda path: os.path.relpath(folder / path, other))


def with_inner_paths_relative(text: str, folder: Path) -> str:
    """The lock, which lies in `folder`, with no absolute path into that, so that it serves elsewhere too."""
    start = os.path.join(folder, "")
    return _with_paths(text, lambda path: os.path.relpath(path, folder) if path.startswith(start) else path)


def _with_paths(text: str, change: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        literal = match["literal"]
        path = _ESCAPE.sub(r"\1", match["basic"]) if literal is None else literal
        escaped = change(path).replace("\\", "\\\\").replace('"', '\\"')
        return f'{match["key"]}"{escaped}"'

    return _PATH.sub(replaced, text)
