"""Reads the metrics that a run wrote into files: JSON, YAML or tables."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mlproj.errors import DataError, SpecError
from mlproj.model.run import MetricPoint
from mlproj.spec.documents import Listing, Node, Table, parse, value_of

LARGEST = 64 * 1024 * 1024
LARGEST_YAML = 8 * 1024 * 1024
MOST_VALUES = 1_000_000
MOST_IN_YAML = 100_000
DEEPEST = 64
LONGEST_NAME = 1000
"""Bounds in bytes, in values, in levels and in a name's characters: a metrics file that goes beyond is
refused, not waited for."""

STEPS = ("step", "epoch", "iteration", "index", "")
"""Names of a column that numbers the rows, the first one found; pandas writes its index without a name."""
ABSENT = frozenset(("", "-", "na", "n/a", "none", "null"))


def read_metrics(path: Path) -> tuple[MetricPoint, ...]:
    """The numbers in a metrics file, by its suffix (.json, .jsonl, .yaml, .yml, .csv, .tsv).

    Nested mappings become names with dots, a list of numbers steps 0, 1, ...; a row of a table or a mapping
    in a list has the step that its `step`, `epoch`, `iteration` or `index` says, else its own number.
    Everything that is no number is passed over. Raises DataError where the file cannot be read.
    """
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        known = ", ".join(f"`{suffix}`" for suffix in _PARSERS)
        raise DataError(
            f"cannot tell from its name how to read the metrics in `{path.name}`",
            hint=f"name it with one of {known}",
        )
    try:
        return tuple(parse(_text(path), path))
    except RecursionError as error:
        raise DataError(f"the metrics in `{path.name}` are nested too deeply") from error
    except SpecError as error:
        raise DataError(f"the metrics in `{path.name}` cannot be read: {error.message}") from error
    except (ValueError, OverflowError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"the metrics in `{path.name}` cannot be read: {reason}") from error


def _text(path: Path) -> str:
    limit = LARGEST_YAML if path.suffix.lower() in (".yaml", ".yml") else LARGEST
    try:
        with open(path, "rb", opener=_at_once) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"the metrics in `{path.name}` cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise DataError(f"`{path.name}` is larger than the {limit // 1024**2} MiB that metrics may have")
    return content.decode("utf-8-sig")


def _at_once(path: str, flags: int) -> int:
    """Opens a file without waiting: a named pipe in its place must not hang the reader."""
    return os.open(path, flags | os.O_NONBLOCK)


def _json(text: str, path: Path) -> Iterable[MetricPoint]:
    return _Flattening().points(path.stem, json.loads(text))


def _json_lines(text: str, path: Path) -> Iterable[MetricPoint]:
    return _Flattening().points(path.stem, [json.loads(line) for line in text.split("\n") if line.strip()])


def _yaml(text: str, path: Path) -> Iterable[MetricPoint]:
    root = parse(text, path.name, [], most=MOST_IN_YAML)
    return () if root is None else _Flattening().points(path.stem, _plain(root))


def _plain(node: Node) -> object:
    """What is in a YAML document, as JSON would have it."""
    if isinstance(node, Listing):
        return [_plain(item) for item in node.items]
    if isinstance(node, Table):
        return {entry.key: _plain(entry.value) for entry in node.entries}
    if node.kind not in ("int", "float", "str"):
        return None
    if node.kind == "str" and not _EXPONENT.fullmatch(node.text):
        return None
    return float(node.text) if node.kind == "str" else value_of(node)


def _comma(text: str, path: Path) -> Iterable[MetricPoint]:
    return _table(text, ",")


def _tab(text: str, path: Path) -> Iterable[MetricPoint]:
    return _table(text, "\t")


_PARSERS: dict[str, Callable[[str, Path], Iterable[MetricPoint]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".csv": _comma,
    ".tsv": _tab,
}


_EXPONENT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+", re.ASCII)
"""`1e-3` is a number in YAML 1.2 and JSON; YAML 1.1 wants a dot and a sign in it, and calls this a text."""


class _Flattening:
    """Walks nested values, counting them: an alias in YAML can make few bytes into very many values."""

    def __init__(self) -> None:
        self._values = 0
        self._points: list[MetricPoint] = []

    def points(self, name: str, value: object) -> Sequence[MetricPoint]:
        """The points of a whole document; `name` is for one that is no mapping."""
        self._walk("" if isinstance(value, Mapping) else name, value, 0, 0)
        return self._points

    def _walk(self, key: str, value: object, step: int, depth: int) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise RecursionError
        if len(key) > LONGEST_NAME:
            raise ValueError(f"a name of more than {LONGEST_NAME} characters")
        match value:
            case bool():
                return
            case int() | float():
                self._points.append(_point(key, value, step))
            case Mapping():
                for name, inner in value.items():
                    self._walk(f"{key}.{name}" if key else str(name), inner, step, depth + 1)
            case list():
                self._list(key, value, depth)
            case _:
                return

    def _list(self, key: str, values: Sequence[object], depth: int) -> None:
        rows = depth == 0
        for number, value in enumerate(values):
            if isinstance(value, list):
                self._walk(f"{key}.{number}", value, 0, depth + 1)
            elif isinstance(value, Mapping):
                named, inner = _numbered(value, number)
                self._walk("" if rows else key, inner, named, depth + 1)
            else:
                self._walk(key, value, number, depth + 1)


def _numbered(row: Mapping[object, object], number: int) -> tuple[int, Mapping[object, object]]:
    """The row's step and the rest of it."""
    names = {str(name).lower(): name for name in row}
    for name in STEPS:
        if name in names and (step := _whole(row[names[name]])) is not None:
            return step, {other: value for other, value in row.items() if other != names[name]}
    return number, row


def _table(text: str, delimiter: str) -> Iterator[MetricPoint]:
    rows = _rows(text, delimiter)
    if not rows:
        return
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if all(_number(name) is not None for name in header):
        raise ValueError("its first line holds no names")
    longest = max((len(row) for row in body), default=0)
    del header[longest:]  # nothing stands below these names
    columns = [
        [row[place].strip() if place < len(row) else "" for row in body] for place in range(len(header))
    ]
    counter, steps = _steps(header, columns, len(body))
    for place, (name, cells) in enumerate(zip(header, columns, strict=True)):
        if place != counter and _is_numeric(cells):
            for step, cell in zip(steps, cells, strict=True):
                if (value := _number(cell)) is not None:
                    yield _point(name or f"column_{place}", value, step)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """The rows that hold anything, none of which makes the table larger than there may be values."""
    rows: list[list[str]] = []
    widest = 0
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        if any(row):
            rows.append(row)
            widest = max(widest, len(row))
            if widest * len(rows) > MOST_VALUES:
                raise ValueError(f"more than {MOST_VALUES} cells")
    return rows


def _steps(header: list[str], columns: list[list[str]], count: int) -> tuple[int | None, Sequence[int]]:
    """Which column numbers the rows, and the numbers."""
    lowered = [name.lower() for name in header]
    for name in STEPS:
        if name in lowered:
            place = lowered.index(name)
            steps = [_whole(_number(cell)) for cell in columns[place]]
            whole = [step for step in steps if step is not None]
            if len(whole) == count:
                return place, whole
    return None, range(count)


def _is_numeric(cells: list[str]) -> bool:
    return all(cell.lower() in ABSENT or _number(cell) is not None for cell in cells)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _whole(value: object) -> int | None:
    """The value as a step, where it is a whole number of a size that JSON can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 2**53:
        return None
    return int(value) if value == int(value) else None


def _point(key: str, value: float, step: int) -> MetricPoint:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if not key.isascii():
        key = key.encode("utf-8", "backslashreplace").decode()  # JSON's `"\\ud800"` is half a character
    return MetricPoint(key=key, value=number if math.isfinite(number) else _word(number), step=step)


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
