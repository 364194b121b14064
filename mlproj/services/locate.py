"""Where a `path` value is on the disk: one that was given beside the caller, a default in the project."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.model.plan import Origin


def locate(text: str, origin: Origin, *, caller: Path, project: Path) -> tuple[Path, str] | None:
    """The absolute path of an existing file or folder and what it is relative to: `caller`, `project` or
    `absolute` (a `file:` URI too). None where there is none.
    """
    path = _path(text)
    if path is None:
        return None
    if os.path.isabs(path):
        return _existing(Path(path), "absolute")
    beside, inside = (caller, "caller"), (project, "project")
    order = (beside, inside) if origin is Origin.GIVEN else (inside, beside)
    found = (_existing(folder / path, base) for folder, base in order)
    return next((place for place in found if place is not None), None)


def _path(text: str) -> str | None:
    if not text or "\0" in text:
        return None
    if not text.startswith("file:"):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return unquote(parts.path) if parts.netloc in ("", "localhost") else None


def _existing(path: Path, base: str) -> tuple[Path, str] | None:
    absolute = os.path.abspath(path)
    return (Path(absolute), base) if os.path.exists(absolute) else None
