"""Lines of requirements files, and the files that they refer to: what a specification is made of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlproj.errors import SpecError
from mlproj.spec import text

_REFERENCE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<file>\S.*)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


def lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers: joined at backslashes, without comments."""
    joined, start = "", 0
    for number, line in enumerate(content.split("\n"), start=1):
        start = start if joined else number
        if line.endswith("\\"):
            joined += line[:-1]
            continue
        whole, joined = _COMMENT.sub("", joined + line).strip(), ""
        if whole:
            yield start, whole
    if joined.strip():
        yield start, _COMMENT.sub("", joined).strip()


def referenced(directory: Path, numbered: Iterable[tuple[int | None, str]], file: str) -> tuple[str, ...]:
    """All files that the `-r` and `-c` among the lines of `file` lead to, relative to `directory`, once each.

    Names in `numbered` are relative to `directory`; those inside a file that is found, to that file. URLs and
    names with variables are left to the installer. Raises SpecError for a file that cannot be read.
    """
    found: dict[str, None] = {}
    pending = [(target, file, line) for line, target in _references(numbered)]
    while pending:
        target, named_in, line = pending.pop(0)
        path = os.path.normpath(target)
        if path in found:
            continue
        if not os.path.exists(directory / path):
            raise SpecError(f"there is no requirements file `{target}`", file=named_in, line=line)
        found[path] = None
        folder = os.path.dirname(path)
        content = text.read(directory, path, limit=text.REQUIREMENTS_LIMIT)
        pending += [(os.path.join(folder, inner), path, at) for at, inner in _references(lines(content))]
    return tuple(found)


def _references(numbered: Iterable[tuple[int | None, str]]) -> Iterator[tuple[int | None, str]]:
    for number, line in numbered:
        match = _REFERENCE.fullmatch(line)
        if match is None:
            continue
        name = match["file"].strip().strip("\"'")
        if "://" not in name and "${" not in name and "\0" not in name:
            yield number, name
