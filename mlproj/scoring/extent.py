"""How many cells the table of an input has, before anybody makes it: a record lacks what others have, and so
does a line of a CSV to pandas, and forty kilobytes can say that there are sixteen million cells.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from .exchange import Refused, refusal

_FEW_CELLS = 1_000_000
_TIMES = 16
"""A table may have a few cells, or so many times those that were sent."""
_SMALL = 8192
"""Bytes that cannot say that there are more than a few cells."""


def refuse_sparse(rows: int, columns: int, given: int) -> None:
    """Raises Refused where a table of so many rows and columns has far more cells than are given."""
    if rows * columns > max(_FEW_CELLS, _TIMES * given):
        message = (
            f"{rows} rows with {columns} columns are far more cells than the {given} that were sent: "
            "send rows that lack few of their columns, or fewer at a time"
        )
        raise Refused(refusal(400, "BAD_REQUEST", message))


def refuse_sparse_body(body: bytes, *, is_csv: bool) -> None:
    """For input that somebody else reads. Raises Refused; what is wrong otherwise is not said here."""
    if len(body) < _SMALL:
        return
    if is_csv:
        _refuse_sparse_lines(body)
    elif body.count(b"{") * body.count(b":") > _FEW_CELLS:
        _refuse_sparse_records(body)


def _refuse_sparse_lines(body: bytes) -> None:
    rows = body.count(b"\n") + body.count(b"\r")
    given = body.count(b",") + rows
    # There are no more columns than cells.
    if rows * given <= _FEW_CELLS:
        return
    try:
        names = next(csv.reader(io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")), [])
    except (ValueError, csv.Error):
        return
    refuse_sparse(rows, len(names), given)


def _refuse_sparse_records(body: bytes) -> None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    for value in content.values() if isinstance(content, dict) else (content,):
        rows = value if isinstance(value, list) else ()
        records: list[dict[str, Any]] = [row for row in rows if isinstance(row, dict)]
        refuse_sparse(len(records), len({name for row in records for name in row}), sum(map(len, records)))
