"""Which paths files may have in a bundle: they stay inside on every system, and each is a file of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 1024
"""Bytes of a path."""
_LONGEST_NAME = 255
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def complaint(path: str) -> str | None:
    """Why a file may not have this path in a bundle; None where it may."""
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        return "is no UTF-8"
    parts = path.split("/")
    if path.startswith("/") or _DRIVE.match(path):
        return "is no relative path"
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of its folder, or around in it"
    if "\\" in path or ":" in path or _CONTROL.search(path):
        return "holds a character that does not mean the same everywhere"
    if len(raw) > LONGEST or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        return "is too long"
    return None


def folded(path: str) -> str:
    """What two paths have in common that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())


class Taken:
    """The paths that are in use, and the folders that they lie in."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}

    def take(self, path: str) -> bool:
        """Takes a path into use, if nothing is in its way."""
        key = folded(path)
        above = list(_above(path))
        if key in self._files or key in self._folders:
            return False
        if any(
            folded(folder) in self._files or self._folders.get(folded(folder), folder) != folder
            for folder in above
        ):
            return False
        self._files.add(key)
        self._folders.update((folded(folder), folder) for folder in above)
        return True


def _above(path: str) -> Iterator[str]:
    for place, letter in enumerate(path):
        if letter == "/":
            yield path[:place]
