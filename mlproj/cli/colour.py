"""Sheets in colour, by Rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from mlproj.cli.controls import printable
from mlproj.cli.sheet import GAP, Section, aligned

STYLES = {
    "FINISHED": "green",
    "FAILED": "red",
    "KILLED": "red",
    "RUNNING": "cyan",
    "UNKNOWN": "yellow",
    "error": "red",
    "warning": "yellow",
    "written": "green",
    "unchanged": "yellow",
    "missing": "red",
    "ok": "green",
}


def paint(sections: Sequence[Section], stream: TextIO) -> None:
    """Prints the sections as they are printed plainly, words such as a status in their colours.

    A table is cut at the terminal's edge; elsewhere long lines are left to the terminal, which can copy them.
    """
    console = Console(file=stream, highlight=False)
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(printable(section.title), style="bold"))
        for index, row in enumerate(aligned(section)):
            if section.headings:
                line = Text(GAP).join(_cell(cell, dim=index == 0) for cell in row)
                console.print(line, no_wrap=True, overflow="ellipsis")
            else:
                line = Text(GAP).join(_cell(cell, dim=place == 0) for place, cell in enumerate(row))
                console.print(line, soft_wrap=True)


def _cell(text: str, *, dim: bool) -> Text:
    return Text(text, style=STYLES.get(text.strip(), "dim" if dim else ""))
