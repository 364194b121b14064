"""The table that the benchmarks print: a row per figure, with its limit and whether it keeps to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEADINGS = ("", "mlproj", "against", "figure", "limit", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure that is judged. `unit` is `s`, `ms`, `x`, `MiB` or `KiB`.

    `at_least` turns the limit into a floor. A row without a limit is only shown.
    """

    what: str
    ours: str
    against: str = ""
    figure: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def passed(self) -> bool | None:
        if self.limit is None:
            return None
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """A row that this machine cannot fill, and why."""

    what: str
    reason: str


def render(rows: Iterable[Row | NotMeasured]) -> str:
    """The rows as aligned text."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines if len(line) > 2) for column in range(len(HEADINGS))]
    widths[0] = max(len(line[0]) for line in lines)
    return "\n".join(_aligned(line, widths) for line in lines)


def amount(value: float, unit: str) -> str:
    digits = {"s": 3, "ms": 2, "x": 2, "MiB": 0, "KiB": 1}[unit]
    return f"{value:.{digits}f} {unit}"


def _cells(row: Row | NotMeasured) -> tuple[str, ...]:
    if isinstance(row, NotMeasured):
        return row.what, f"not measured: {row.reason}"
    limit = "" if row.limit is None else f"{'>=' if row.at_least else '<='} {row.limit:g} {row.unit}"
    verdict = {None: "", True: "pass", False: "FAIL"}[row.passed]
    return row.what, row.ours, row.against, amount(row.figure, row.unit), limit, verdict


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip()
