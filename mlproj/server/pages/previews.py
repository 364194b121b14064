"""What a file looks like on a page, told by its name and its first bytes: never as a document of ours."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

LARGEST = 512 * 1024
"""Bytes of a file that are read to be shown."""

_LARGEST_SHOWN = 4 * LARGEST

IMAGES = {
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
"""What is shown as a picture, where no script in it runs."""

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_ROWS, _CELLS, _CELL = 200, 50, 500
_NOTES = (".md", ".markdown")


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is `image`, `table`, `markdown`, `text` or `none`; with `cut` it is the beginning alone."""

    kind: str
    text: str = ""
    table: tuple[tuple[str, ...], ...] = ()
    cut: bool = False


def media_type(name: str) -> str:
    """By what name a browser takes a file: only pictures have one of their own."""
    return IMAGES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


def preview(name: str, beginning: bytes, *, cut: bool) -> Preview:
    """The look of a file whose first bytes these are."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in IMAGES:
        return Preview(kind="image")
    text = _text(beginning, cut=cut)
    if text is None:
        return Preview(kind="none")
    if suffix in _SEPARATORS:
        table = _table(text, _SEPARATORS[suffix], cut=cut)
        if table is not None:
            return table
    if suffix in _NOTES:
        return Preview(kind="markdown", text=text, cut=cut)
    return Preview(kind="text", text=_indented(text) if suffix == ".json" and not cut else text, cut=cut)


def _text(content: bytes, *, cut: bool) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # What was cut may have been cut within a character.
        return content[: error.start].decode() if cut and error.start > len(content) - 4 else None


def _table(text: str, separator: str, *, cut: bool) -> Preview | None:
    rows: list[Sequence[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            rows.append(row)
            if len(rows) > _ROWS:
                break
    except csv.Error:
        return None
    shown = tuple(tuple(_short(cell) for cell in row[:_CELLS]) for row in rows[:_ROWS])
    less = cut or len(rows) > _ROWS or any(len(row) > _CELLS for row in rows)
    return Preview(kind="table", table=shown, cut=less) if shown else None


def _short(cell: str) -> str:
    return cell if len(cell) <= _CELL else f"{cell[:_CELL]}…"


def _indented(text: str) -> str:
    """JSON laid out, unless that makes much more of it than there is."""
    shown, size = [], 0
    try:
        for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(text)):
            shown.append(part)
            size += len(part)
            if size > _LARGEST_SHOWN:
                return text
    except (ValueError, RecursionError):
        return text
    return "".join(shown)
