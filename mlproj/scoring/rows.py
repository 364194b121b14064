"""Rows out of what was posted, in each of the notations that MLflow's protocol has for them."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from .exchange import Refused, refusal
from .extent import refuse_sparse

JSON_TYPE, CSV_TYPE = "application/json", "text/csv"
KINDS = (CSV_TYPE, JSON_TYPE)
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_REQUIRED = f"The input must be a JSON dictionary with exactly one of the input fields {list(FORMATS)}"

_TOLD_NAMES, _TOLD_LETTERS = 20, 60


class Rows(NamedTuple):
    """`names` is None where the input names no columns. Each of the `lines` has a cell for each column in
    order, or is a mapping that may lack some. Cells of a `text` are yet to be read as numbers."""

    names: list[str] | None
    lines: Sequence[Any]
    is_text: bool = False

    def cells(self) -> list[list[Any]]:
        """All of them. Raises Refused, as `of`."""
        return self.of(self.names) if self.names is not None else list(self.lines)

    def of(self, names: list[str]) -> list[list[Any]]:
        """The cells of these columns, in order. Raises Refused where there were far more of them than were
        sent."""
        if self.lines and isinstance(self.lines[0], dict):
            refuse_sparse(len(self.lines), len(names), sum(map(len, self.lines)))
            return [[line.get(name) for name in names] for line in self.lines]
        if names == self.names:
            return list(self.lines)
        places = {name: place for place, name in enumerate(self.names or ())}
        chosen = [places[name] for name in names]
        return [[line[place] for place in chosen] for line in self.lines]


def read_rows(body: bytes, *, is_json: bool) -> Rows:
    """Raises Refused."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        # What stands in its representation is all of the input.
        raise refused(f"Ensure that input is a valid UTF-8 encoded string. Error: '{error}'") from error
    return _of_json(text) if is_json else _of_csv(text)


def refused(message: str) -> Refused:
    return Refused(refusal(400, "BAD_REQUEST", message))


def told(names: Collection[str]) -> str:
    """The first of them, as a message lists them."""
    listed = ", ".join(f"{name!r:.{_TOLD_LETTERS}}" for name in itertools.islice(names, _TOLD_NAMES))
    further = len(names) - _TOLD_NAMES
    return f"[{listed}]" if further <= 0 else f"[{listed}, and {further} more]"


def _of_csv(text: str) -> Rows:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise refused(f"The input is no valid CSV: {error}") from error
    if not lines:
        raise refused("The input is no CSV with a line of names")
    names, *cells = lines
    return _even(Rows(names, cells, is_text=True))


def _of_json(text: str) -> Rows:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(f"Ensure that input is a valid JSON formatted string. Error: '{error!r}'") from error
    if not isinstance(content, dict):
        raise refused(f"{_REQUIRED}. Received {type(content).__name__}.")
    given = [name for name in FORMATS if name in content]
    if len(given) != 1:
        raise refused(f"{_REQUIRED}. Received dictionary with input fields: {told(content)}")
    value = content[given[0]]
    if given[0] == "dataframe_split":
        return _even(_split(value))
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _records(value)
    if given[0] == "dataframe_records":
        raise refused("`dataframe_records` must be a list of mappings, one for each row")
    return _even(_named(value) if isinstance(value, dict) else _bare(value))


def _split(value: Any) -> Rows:
    data = value.get("data") if isinstance(value, dict) else None
    names = value.get("columns") if isinstance(value, dict) else None
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise refused("`dataframe_split` must be a mapping with `columns` and, as a list of lists, `data`")
    if names is not None and not isinstance(names, list):
        raise refused("`columns` in `dataframe_split` must be a list of names")
    return Rows(None if names is None else list(map(str, names)), data)


def _records(records: list[dict[str, Any]]) -> Rows:
    return Rows(list(dict.fromkeys(name for row in records for name in row)), records)


def _named(columns: dict[str, Any]) -> Rows:
    lists = [column if isinstance(column, list) else [column] for column in columns.values()]
    if len({len(column) for column in lists}) > 1:
        raise refused("the columns of the input are of several lengths")
    return Rows(list(columns), [list(row) for row in zip(*lists)])


def _bare(value: Any) -> Rows:
    if not isinstance(value, list):
        raise refused("the input must be a list of rows, or a mapping of columns")
    if not value:
        raise refused("the input has no rows")
    return Rows(None, [row if isinstance(row, list) else [row] for row in value])


def _even(rows: Rows) -> Rows:
    twice = [name for name, count in Counter(rows.names or ()).items() if count > 1]
    if twice:
        raise refused(f"the input has several columns `{twice[0]:.{_TOLD_LETTERS}}`")
    width = len(rows.names) if rows.names is not None else len(rows.lines[0]) if rows.lines else 0
    for number, row in enumerate(rows.lines, 1):
        if len(row) != width:
            raise refused(f"row {number} of the input has {len(row)} values, and {width} were to be there")
    return rows
