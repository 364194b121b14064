"""Holds rows against what a model was fitted with, and says what is missing or of another type."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .rows import Rows, refused, told

_BOOLEANS = {"true": True, "false": False}


class Columns(NamedTuple):
    """What is asked of the input: names with their types (as a signature has them; empty where none is told)
    in order, or at least how many columns; None where nothing is known."""

    names: tuple[str, ...] | None
    types: dict[str, str]
    optional: tuple[str, ...] = ()
    width: int | None = None

    @classmethod
    def of(cls, estimator: Any, signature: Sequence[dict[str, Any]] | None) -> Columns:
        """Those of the signature, else those that scikit-learn noted when the estimator was fitted."""
        if signature and all("name" in column for column in signature):
            return cls(
                names=tuple(str(column["name"]) for column in signature),
                types={str(column["name"]): str(column.get("type", "")) for column in signature},
                optional=tuple(
                    str(column["name"]) for column in signature if not column.get("required", True)
                ),
            )
        names = getattr(estimator, "feature_names_in_", None)
        count = getattr(estimator, "n_features_in_", None)
        named = None if names is None else tuple(map(str, names))
        return cls(names=named, types={}, width=None if count is None else int(count))

    def fitted(self, rows: Rows) -> Any:
        """What the estimator is given: a DataFrame where there are names and pandas, else an array. Raises
        Refused."""
        if self.names is None:
            names = rows.names
            self._count(len(names if names is not None else rows.lines[0] if rows.lines else ()))
            cells = rows.cells()
        else:
            names, cells = self._chosen(rows)
        numbered = names or [str(number) for number in range(len(cells[0]) if cells else 0)]
        read = [self._column(name, column, rows.is_text) for name, column in zip(numbered, zip(*cells))]
        try:
            return _table(names, read)
        except (OverflowError, ValueError) as error:
            raise refused(f"the input makes no table of numbers: {error!s:.500}") from error

    def _count(self, given: int) -> None:
        if self.width is not None and given != self.width:
            raise refused(f"the model takes {self.width} columns, and the input has {given}")

    def _chosen(self, rows: Rows) -> tuple[list[str], list[list[Any]]]:
        """The cells of the columns that are asked for, in their order; further ones are left out."""
        assert self.names is not None
        if rows.names is None:
            given = len(rows.lines[0]) if rows.lines else len(self.names)
            if given != len(self.names):
                raise refused(f"the model takes {len(self.names)} columns, and the input has {given}")
            return list(self.names), rows.cells()
        given_names = {*rows.names}
        missing = [name for name in self.names if name not in given_names and name not in self.optional]
        if missing:
            raise refused(
                f"Model is missing inputs {told(missing)}. The input has the columns {told(rows.names)}."
            )
        names = [name for name in self.names if name in given_names]
        return names, rows.of(names)

    def _column(self, name: str, cells: Sequence[Any], is_text: bool) -> list[Any]:
        wanted = self.types.get(name, "")
        if is_text:
            cells = _read(cells, wanted)
        fits = _FITTING.get(wanted)
        for number, cell in enumerate(cells, 1):
            if fits is not None and cell is not None and not fits(cell):
                wrong = f"{cell!r:.60} in row {number} is no {wanted}"
                raise refused(f"Incompatible input types for column {name}. {wrong}.")
        try:
            return [float(cell) if wanted in _FLOATS and cell is not None else cell for cell in cells]
        except OverflowError as error:
            raise refused(f"Incompatible input types for column {name}. {error}.") from error


_FLOATS = ("double", "float")


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _is_whole(cell: Any) -> bool:
    return isinstance(cell, int) and not isinstance(cell, bool)


_FITTING: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_FLOATS, _is_number),
    **dict.fromkeys(("long", "integer"), _is_whole),
    "boolean": lambda cell: isinstance(cell, bool),
    "string": lambda cell: isinstance(cell, str),
}


def _read(cells: Sequence[str], wanted: str) -> list[Any]:
    """The cells of a CSV's column: as numbers or truth values where all of them can be read so."""
    if wanted == "string":
        return list(cells)
    for reading in (int, float, _boolean):
        try:
            return [None if cell == "" else reading(cell) for cell in cells]
        except (ValueError, KeyError):
            continue
    return list(cells)


def _boolean(cell: str) -> bool:
    return _BOOLEANS[cell.lower()]


def _table(names: list[str] | None, columns: list[list[Any]]) -> Any:
    if names is not None and importlib.util.find_spec("pandas"):
        return importlib.import_module("pandas").DataFrame(dict(zip(names, columns)), columns=names)
    if not importlib.util.find_spec("numpy"):
        return [list(row) for row in zip(*columns)]
    numpy = importlib.import_module("numpy")
    table = numpy.array([list(row) for row in zip(*columns)])
    if table.dtype.kind in "OU" and not any(isinstance(cell, str) for column in columns for cell in column):
        return numpy.array([list(row) for row in zip(*columns)], dtype=float)
    return table
