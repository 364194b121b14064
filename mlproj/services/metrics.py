"""Reads the metrics that a run wrote into files: JSON, YAML or tables."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from mlproj.errors import DataError
from mlproj.model.run import MetricPoint

LARGEST = 64 * 1024 * 1024
LARGEST_YAML = 8 * 1024 * 1024
MOST_VALUES = 2_000_000
DEEPEST = 64
"""Bounds in bytes, in values and in levels: a metrics file that goes beyond is refused, not waited for."""

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
        return tuple(parse(_text(path), path.stem))
    except RecursionError as error:
        raise DataError(f"the metrics in `{path.name}` are nested too deeply") from error
    except (ValueError, OverflowError, yaml.YAMLError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"the metrics in `{path.name}` cannot be read: {reason}") from error


def _text(path: Path) -> str:
    limit = LARGEST_YAML if path.suffix.lower() in (".yaml", ".yml") else LARGEST
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"the metrics in `{path.name}` cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise DataError(f"`{path.name}` is larger than the {limit // 1024**2} MiB that metrics may have")
    return content.decode("utf-8-sig")


def _json(text: str, stem: str) -> Iterator[MetricPoint]:
    return _Flattening().points(stem, json.loads(text))


def _json_lines(text: str, stem: str) -> Iterator[MetricPoint]:
    return _Flattening().points(stem, [json.loads(line) for line in text.splitlines() if line.strip()])


def _yaml(text: str, stem: str) -> Iterator[MetricPoint]:
    return _Flattening().points(stem, yaml.load(text, Loader=_Loader))  # safe: a SafeLoader


def _comma(text: str, stem: str) -> Iterator[MetricPoint]:
    return _table(text, ",")


def _tab(text: str, stem: str) -> Iterator[MetricPoint]:
    return _table(text, "\t")


_PARSERS: dict[str, Callable[[str, str], Iterator[MetricPoint]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".csv": _comma,
    ".tsv": _tab,
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C where it was built
    """Reads `1e-3` as the number it is in YAML 1.2 and JSON; YAML 1.1 wants a dot and a sign in it."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


class _Flattening:
    """Walks nested values, counting them: an alias in YAML can make few bytes into very many values."""

    def __init__(self) -> None:
        self._values = 0

    def points(self, name: str, value: object) -> Iterator[MetricPoint]:
        """The points of a whole document; `name` is for one that is no mapping."""
        return self._walk("" if isinstance(value, Mapping) else name, value, 0, 0)

    def _walk(self, key: str, value: object, step: int, depth: int) -> Iterator[MetricPoint]:
        self._values += 1
        if self._values > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise RecursionError
        match value:
            case bool():
                return
            case int() | float():
                yield _point(key, value, step)
            case Mapping():
                for name, inner in value.items():
                    yield from self._walk(f"{key}.{name}" if key else str(name), inner, step, depth + 1)
            case list():
                yield from self._list(key, value, step, depth)
            case _:
                return

    def _list(self, key: str, values: Sequence[object], step: int, depth: int) -> Iterator[MetricPoint]:
        rows = depth == 0
        for number, value in enumerate(values):
            if isinstance(value, list):
                yield from self._walk(f"{key}.{number}", value, step, depth + 1)
            elif isinstance(value, Mapping):
                named, inner = _numbered(value, number)
                yield from self._walk("" if rows else key, inner, named, depth + 1)
            else:
                yield from self._walk(key, value, number, depth + 1)


def _numbered(row: Mapping[object, object], number: int) -> tuple[int, Mapping[object, object]]:
    """The row's step and the rest of it."""
    names = {str(name).lower(): name for name in row}
    for name in STEPS:
        if name in names and (step := _whole(row[names[name]])) is not None:
            return step, {other: value for other, value in row.items() if other != names[name]}
    return number, row


def _table(text: str, delimiter: str) -> Iterator[MetricPoint]:
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    if not rows:
        return
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if all(_number(name) is not None for name in header):
        raise ValueError("its first line holds no names")
    columns = [
        [row[place].strip() if place < len(row) else "" for row in body] for place in range(len(header))
    ]
    counter, steps = _steps(header, columns, len(body))
    for place, (name, cells) in enumerate(zip(header, columns, strict=True)):
        if place != counter and _is_numeric(cells):
            for step, cell in zip(steps, cells, strict=True):
                if (value := _number(cell)) is not None:
                    yield _point(name or f"column_{place}", value, step)


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
    return MetricPoint(key=key, value=number if math.isfinite(number) else _word(number), step=step)


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
