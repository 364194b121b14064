"""Tables, cell by cell: text with separators, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib import import_module
from itertools import zip_longest
from typing import Any

from mlproj.compare.judgement import Judgement, Tally, place, unknown
from mlproj.model.tolerance import Tolerance

_MOST_CELLS = 20_000_000
"""A few bytes of Parquet can stand for very many."""


def compare_csv(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """Text with commas, semicolons or tabs; None where one of the two is none."""
    try:
        texts = [content.decode("utf-8-sig") for content in (expected, found)]
        before, after = (_rows(text) for text in texts)
    except (UnicodeDecodeError, csv.Error):
        return None
    tally = Tally(tolerance=tolerance, unit="cell")
    header = before[0] if before else []
    if len(before) != len(after):
        tally.missing(f"it has {len(after)} lines instead of {len(before)}")
    for line, (one, other) in enumerate(zip(before, after, strict=False), start=1):
        _compare_row(line, header, one, other, tally)
    return tally.judgement("CSV", "the same cells, written differently")


def _rows(text: str) -> list[list[str]]:
    first = text.split("\n", 1)[0]
    separator = max((",", ";", "\t"), key=first.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))


def _compare_row(
    line: int, header: Sequence[str], expected: Sequence[str], found: Sequence[str], tally: Tally
) -> None:
    if len(expected) != len(found):
        tally.missing(f"line {line} has {len(found)} cells instead of {len(expected)}")
    for column, (one, other) in enumerate(zip(expected, found, strict=False)):
        name = place("", header[column]) if column < len(header) else str(column + 1)
        _compare_cell(f"line {line}, `{name}`", one, other, tally)


def _compare_cell(where: str, expected: Any, found: Any, tally: Tally) -> None:
    numbers = _number(expected), _number(found)
    if numbers[0] is None or numbers[1] is None:
        tally.others(where, expected, found)
    else:
        tally.numbers(where, numbers[0], numbers[1])


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def compare_parquet(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """None where one of the two is none."""
    try:
        parquet: Any = import_module("pyarrow.parquet")
        errors: Any = import_module("pyarrow").ArrowException
    except ImportError:
        return unknown("Parquet", "`pip install mlproj[compare]` brings what reads it")
    try:
        files = [parquet.ParquetFile(io.BytesIO(content)) for content in (expected, found)]
        if any(file.metadata.num_rows * file.metadata.num_columns > _MOST_CELLS for file in files):
            return unknown("Parquet", f"it has more than {_MOST_CELLS} cells, and nobody looks into it")
        before, after = (file.read() for file in files)
    except (errors, OSError):
        return None
    tally = Tally(tolerance=tolerance, unit="cell")
    names = before.column_names, after.column_names
    for name in sorted(set(names[0]) ^ set(names[1])):
        tally.missing(f"the column `{name}` is only in the {'first' if name in names[0] else 'second'}")
    if before.num_rows != after.num_rows:
        tally.missing(f"it has {after.num_rows} rows instead of {before.num_rows}")
    for name in (name for name in names[0] if name in names[1]):
        columns = (before.column(name).to_pylist(), after.column(name).to_pylist())
        for row, (one, other) in enumerate(zip_longest(*(column[: len(columns[1])] for column in columns))):
            _compare_cell(f"row {row + 1}, `{name}`", one, other, tally)
    return tally.judgement("Parquet", "the same cells, written differently")
