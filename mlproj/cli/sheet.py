"""Pages of labelled rows, painted with colour on a terminal and as plain aligned columns elsewhere."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from mlproj.cli.controls import printable
from mlproj.cli.terminal import is_terminal

Row = tuple[str, ...]

INDENT = GAP = "  "
WIDEST = 100
"""Characters: a longer cell (a metric's name may have 250) takes its room, and the other rows do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A title (may be empty), column headings (may be none) and rows of text."""

    title: str = ""
    headings: Row = ()
    rows: tuple[Row, ...] = ()


def print_sheet(sections: Sequence[Section], stream: TextIO | None = None) -> None:
    """Prints the sections that have rows, a blank line between two of them."""
    target = stream or sys.stdout
    filled = [section for section in sections if section.rows]
    if is_terminal(target):
        importlib.import_module("mlproj.cli.colour").paint(filled, target)
    else:
        target.write(plain_sheet(filled))


def plain_sheet(sections: Sequence[Section]) -> str:
    return "\n".join(_plain(section) for section in sections)


def aligned(section: Section) -> list[Row]:
    """Headings and rows with every cell but the last of a row padded to its column, lines under lines."""
    rows = [tuple(map(printable, row)) for row in (section.headings, *section.rows) if row]
    columns = max(len(row) for row in rows)
    widths = [
        max((len(row[i]) for row in rows if i < len(row) and len(row[i]) <= WIDEST), default=0)
        for i in range(columns)
    ]
    indent = INDENT if section.title else ""
    padded = []
    for row in rows:
        margin = "\n" + " " * (len(indent) + sum(widths[: len(row) - 1]) + len(GAP) * (len(row) - 1))
        cells = [cell.ljust(widths[i]) if i < len(row) - 1 else cell for i, cell in enumerate(row)]
        cells[0] = indent + cells[0]
        padded.append(tuple(cell.replace("\n", margin) for cell in cells))
    return padded


def _plain(section: Section) -> str:
    lines = [printable(section.title)] if section.title else []
    lines += (GAP.join(row).rstrip() for row in aligned(section))
    return "\n".join(lines) + "\n"
