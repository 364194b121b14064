"""Path templates of `inputs`, `outputs` and `metrics`: filled with values, they name paths in the project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from mlproj.errors import SpecError
from mlproj.model.plan import Value
from mlproj.model.project import EntryPoint, Location
from mlproj.planning.template import formatted, pieces

NOBODYS = (".git", ".mlproj")
"""Folders that are neither data nor a product of anybody's code."""


def fill(template: str, values: Sequence[Value], entry: EntryPoint) -> str:
    """The path that `template` names, relative to the project's folder.

    Raises SpecError for a name in braces that has no value, and for a path that is absolute, leads out of the
    project's folder or is that folder itself.
    """
    texts = {value.name: value.text for value in values}
    filled = _filled(template, texts, entry.location)
    path = _inside(filled)
    if path is None:
        message = f"`{filled}` must be a path below the project's folder, outside of `.git` and `.mlproj`"
        raise SpecError(message, file=entry.location.file, line=entry.location.line)
    return path


def fill_known(template: str, texts: Mapping[str, str]) -> str | None:
    """As `fill`, with None where a value is not known or the path is not one in the project."""
    try:
        return _inside(_filled(template, texts, Location(file="")))
    except SpecError:
        return None


def usual_outputs(entry: EntryPoint) -> tuple[str, ...]:
    """What `entry` declares that it writes, as far as the defaults of its parameters tell."""
    texts = {item.name: item.default for item in entry.parameters if item.default is not None}
    filled = (fill_known(template, texts) for template in (*entry.outputs, *entry.metrics))
    return tuple(path for path in filled if path is not None)


def _filled(template: str, texts: Mapping[str, str], location: Location) -> str:
    return "".join(
        piece if isinstance(piece, str) else formatted(piece, texts[piece.name], location)
        for piece in pieces(template, texts.keys(), location)
    )


def _inside(filled: str) -> str | None:
    path = os.path.normpath(filled) if filled else "."
    first = path.partition("/")[0]
    outside = os.path.isabs(path) or first in (".", "..", *NOBODYS)
    return None if outside or "\0" in path else path
