"""Every page that shows something, of what a store has, by the parts of their paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from mlproj.server.pages.adding import PAGES

_PART = re.compile(r"{(\w+)(:path)?}")
_NO_PAGES = re.compile(r".*/(?:raw|output-raw|log)/.*|/curves")
"""Files, and what scripts ask for."""


def shown() -> list[str]:
    """The paths of pages, with braces where something is filled in."""
    return [page.path for page in PAGES if page.method == "GET" and not _NO_PAGES.fullmatch(page.path)]


def filled(path: str, values: Mapping[str, str]) -> str:
    return _PART.sub(lambda part: quote(values[part[1]], safe="/" if part[2] else ""), path)


def addresses(values: Mapping[str, str]) -> Iterator[str]:
    """An address of each of them, where all that is filled in has a value."""
    for path in shown():
        if all(name in values for name, _ in _PART.findall(path)):
            yield filled(path, values)


def page_of(address: str) -> str:
    """The path, with braces, of the page that an address is of."""
    path = address.partition("?")[0]
    (found,) = (each for each in shown() if re.fullmatch(_PART.sub(_anything, each), path))
    return found


def unseen(visited: Iterable[str]) -> set[str]:
    """The pages none of whose addresses are among these."""
    return set(shown()) - set(map(page_of, visited))


def _anything(part: re.Match[str]) -> str:
    return ".*" if part[2] else "[^/]+"
