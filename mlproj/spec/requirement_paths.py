"""Lines of a requirements file for another folder: the paths in them go along, and lead where they led."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlproj.spec import text
from mlproj.spec.requirements import inclusion, lines

_OPTION = re.compile(
    r"(?P<option>-[efi](?:\s*=\s*|\s*)|--(?:editable|find-links|index-url|extra-index-url)(?:\s*=\s*|\s+))"
    r"(?P<value>[^-=\s].*)"
)
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^]]*\])?\s*@\s*)(?P<value>\S.*)")
_PLACE = re.compile(r"(?P<path>[^\[;#]*?)(?P<rest>\s*(?:[\[;#].*)?)")
_ELSEWHERE = re.compile(r"/|~|file:/|\$\{|[A-Za-z][A-Za-z0-9+.-]*://|(?:git|hg|svn|bzr)\+")
_ARCHIVE = re.compile(r"\S+\.(?:whl|zip|tar\.(?:gz|bz2|xz)|tgz)")


def from_folder(line: str, folder: str) -> str:
    """A line whose paths are relative to `folder`, for the folder above that `folder` itself is relative to.

    URLs, absolute paths and paths that begin with a variable stay as they are.
    """
    if not folder:
        return line
    included = inclusion(line)
    if included is not None:
        return f"{included.option} {os.path.join(folder, included.file)}" if included.is_plain else line
    option = _OPTION.fullmatch(line)
    if option is not None:
        return option["option"] + _moved(option["value"], folder)
    named = _NAMED.fullmatch(line)
    if named is not None:
        return named["name"] + _moved(named["value"], folder)
    return _moved(line, folder) if _is_path(line) else line


def with_contents(asked: Iterable[str], folder: str, directory: Path) -> tuple[str, ...]:
    """Lines for the project in `directory`, with those of the files that they take in, in their place.

    An installer that runs in `folder` looks there for what such a file names, not beside the file. Raises
    SpecError for a file that cannot be read.
    """
    return tuple(_contents(asked, folder, directory, set())) if folder else tuple(asked)


def _contents(asked: Iterable[str], folder: str, directory: Path, seen: set[str]) -> Iterator[str]:
    for line in asked:
        included = inclusion(line)
        if included is None or included.is_constraint or not included.is_plain:
            yield line
            continue
        file = os.path.normpath(included.file)
        if file in seen:
            continue
        seen.add(file)
        content = text.read(directory, file, limit=text.REQUIREMENTS_LIMIT)
        held = (inner for _, inner in lines(content))
        moved = (from_folder(inner, os.path.dirname(file) if inclusion(inner) else folder) for inner in held)
        yield from _contents(moved, folder, directory, seen)


def _is_path(line: str) -> bool:
    place = _PLACE.fullmatch(line)
    if line.startswith("-") or place is None:
        return False
    path = place["path"].strip("\"'")
    return path.startswith(".") or "/" in path or _ARCHIVE.fullmatch(path) is not None


def _moved(value: str, folder: str) -> str:
    quote = value[0] if value[0] in "\"'" and value.endswith(value[0]) else ""
    scheme = "file:" if value.removeprefix(quote).startswith("file:") else ""
    bare = value.removeprefix(quote).removesuffix(quote)
    place = _PLACE.fullmatch(bare.removeprefix(scheme))
    if _ELSEWHERE.match(bare) or place is None:
        return value
    path = os.path.normpath(os.path.join(folder, place["path"]))
    return f"{quote}{scheme}{'' if path.startswith('.') else './'}{path}{place['rest']}{quote}"
