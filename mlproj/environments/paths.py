"""Moves a lock file to another folder: its paths of local packages are relative to the folder it lies in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

_PATH = re.compile(r'(?P<key>\bpath\s*=\s*)(?:"(?P<basic>(?:\\.|[^"\\])*)"|\'(?P<literal>[^\']*)\')')
_URL = re.compile(r'\burl\s*=\s*"(?P<url>(?:\\.|[^"\\])*)"')
_ESCAPE = re.compile(r'\\(["\\])')


def with_absolute_paths(text: str, folder: Path) -> str:
    """The lock with its relative paths, which are relative to `folder`, made absolute."""
    return _with_paths(text, lambda path: os.path.normpath(folder / path))


def with_moved_paths(text: str, folder: Path, other: Path) -> str:
    """The lock with paths that are relative to `folder` made relative to `other`."""
    return text if folder == other else _with_paths(text, lambda path: os.path.relpath(folder / path, other))


def with_files_at_hand(text: str, folder: Path) -> str:
    """The lock with those of its files taken from `folder` that lie there under the names that they have."""
    there = {path.name for path in folder.iterdir()}

    def replaced(match: re.Match[str]) -> str:
        name = unquote(match["url"].partition("#")[0].rpartition("/")[2])
        return f'path = "{_escaped(str(folder / name))}"' if name in there else match[0]

    return _URL.sub(replaced, text)


def with_inner_paths_relative(text: str, folder: Path) -> str:
    """The lock, which lies in `folder`, with no absolute path into that, so that it serves elsewhere too."""
    start = os.path.join(folder, "")
    return _with_paths(text, lambda path: os.path.relpath(path, folder) if path.startswith(start) else path)


def _with_paths(text: str, change: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        literal = match["literal"]
        path = _ESCAPE.sub(r"\1", match["basic"]) if literal is None else literal
        return f'{match["key"]}"{_escaped(change(path))}"'

    return _PATH.sub(replaced, text)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace('"', '\\"')
