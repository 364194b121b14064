"""Sheets in colour, by Rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlproj.cli.sheet import Section, printable

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
    """Prints the sections, words such as a status in their colours."""
    console = Console(file=stream, highlight=False)
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(section.title, style="bold"))
        table = Table(
            box=None,
            show_header=bool(section.headings),
            header_style="dim",
            padding=(0, 2, 0, 0),
            pad_edge=False,
        )
        columns = max(len(row) for row in (section.headings, *section.rows))
        for index in range(columns):
            table.add_column(
                section.headings[index] if index < len(section.headings) else "",
                overflow="fold",
                style="dim" if index == 0 and not section.headings else "",
            )
        for row in section.rows:
            table.add_row(*(Text(printable(cell), style=STYLES.get(cell, "")) for cell in row))
        console.print(table)
