"""Lines of requirements files as pip reads them, and the files that they take in."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from mlproj.errors import SpecError
from mlproj.spec import text

_INCLUSION = re.compile(
    r"(?P<option>-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<file>\S.*)"
)
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_SEPARATORS = re.compile(r"[-_.]+")

MOST_FILES = 200
"""Files that requirements may take in: links to folders above make endlessly many names of a few."""


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A line that takes in another file: `file` as it is written there, without its quotes."""

    option: str
    file: str

    @property
    def is_constraint(self) -> bool:
        """Whether the file asks for nothing, and only says which versions will do."""
        return self.option in ("-c", "--constraint")

    @property
    def is_plain(self) -> bool:
        """Whether the file is named by its path alone, and not by a URL or with variables."""
        return "://" not in self.file and "${" not in self.file and "\0" not in self.file


def lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers: joined at backslashes, without comments.

    A line that is a comment as a whole ends what was joined before it, whatever its own end.
    """
    joined, start = "", 0
    for number, line in enumerate(content.split("\n"), start=1):
        start = start if joined else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            joined += line[:-1]
            continue
        whole, joined = _COMMENT.sub("", joined + ("" if is_comment else line)).strip(), ""
        if whole:
            yield start, whole
    whole = _COMMENT.sub("", joined).strip()
    if whole:
        yield start, whole


def inclusion(line: str) -> Inclusion | None:
    """What a line takes in, None for one that takes in no file."""
    match = _INCLUSION.fullmatch(line)
    if match is None:
        return None
    return Inclusion(option=match["option"], file=match["file"].strip().strip("\"'"))


def normalized(name: str) -> str:
    """A distribution's name in the one spelling that counts (PEP 503)."""
    return sys.intern(_SEPARATORS.sub("-", name).lower())


def referenced(directory: Path, numbered: Iterable[tuple[int | None, str]], file: str) -> tuple[str, ...]:
    """All files that the `-r` and `-c` among the lines of `file` lead to, relative to `directory`, once each.

    Names in `numbered` are relative to `directory`; those inside a file that is found, to that file. URLs and
    names with variables are left to the installer. Raises SpecError for a file that cannot be read, and for
    more files than anybody keeps.
    """
    found: dict[str, None] = {}
    pending = deque((target, file, line) for line, target in _references(numbered))
    while pending:
        target, named_in, line = pending.popleft()
        path = os.path.normpath(target)
        if path in found:
            continue
        if len(found) == MOST_FILES:
            raise SpecError(f"requirements take in more than {MOST_FILES} files", file=named_in, line=line)
        if not os.path.exists(directory / path):
            raise SpecError(f"there is no requirements file `{target}`", file=named_in, line=line)
        found[path] = None
        folder = os.path.dirname(path)
        content = text.read(directory, path, limit=text.REQUIREMENTS_LIMIT)
        inner = dict.fromkeys((name, path, at) for at, name in _references(lines(content)))
        pending.extend((os.path.join(folder, name), path, at) for name, path, at in inner)
    return tuple(found)


def _references(numbered: Iterable[tuple[int | None, str]]) -> Iterator[tuple[int | None, str]]:
    for number, line in numbered:
        found = inclusion(line)
        if found is not None and found.is_plain:
            yield number, found.file
