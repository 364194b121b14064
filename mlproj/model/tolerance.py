"""How far a number may be from the one that is expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import msgspec

from mlproj.errors import UsageError

_FORM = re.compile(r"(?P<number>[0-9.eE+\-]+)(?P<unit>%|abs)?", re.ASCII)


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """A number is accepted within `relative` times the size of the expected one, or within `absolute` of it,
    whichever is more. Both are 0 or more."""

    relative: float = 0.0
    absolute: float = 0.0

    def accepts(self, expected: float, found: float) -> bool:
        """NaN is accepted for NaN, an infinity for itself alone."""
        if expected == found or (math.isnan(expected) and math.isnan(found)):
            return True
        if not (math.isfinite(expected) and math.isfinite(found)):
            return False
        return abs(found - expected) <= max(self.relative * abs(expected), self.absolute)

    def __str__(self) -> str:
        """As `read_tolerance` reads it."""
        sizes = [f"{self.relative * 100:g}%"] if self.relative or not self.absolute else []
        return " or ".join([*sizes, *([f"{self.absolute:g}abs"] if self.absolute else [])])


EXACT = Tolerance()

Allowed = Callable[[str], Tolerance]
"""Gives the tolerance for what is called so."""


def exact(name: str) -> Tolerance:
    return EXACT


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A tolerance for what is called so: a metric, or the path of an output. The name may be a pattern, with
    `*`, `?` and `[...]` as a shell has them."""

    name: str
    tolerance: Tolerance


def tolerance_of(name: str, named: Iterable[Named]) -> Tolerance:
    """The tolerance for a metric or an output: one for its very name, else of the first pattern that it fits.

    What nobody named is to be exact.
    """
    given = tuple(named)
    for one in given:
        if one.name == name:
            return one.tolerance
    return next((one.tolerance for one in given if fnmatchcase(name, one.name)), EXACT)


def read_named(text: str) -> Named:
    """From `rmse=0.01`, or `0.01` alone for everything. Raises UsageError."""
    name, equals, size = text.rpartition("=")
    return Named(name=name if equals else "*", tolerance=read_tolerance(size))


def read_tolerance(text: str) -> Tolerance:
    """From `0.01` or `1%` (relative) or `0.01abs`. Raises UsageError."""
    form = _FORM.fullmatch(text.strip())
    try:
        number = float(form["number"]) if form else math.nan
    except ValueError:
        number = math.nan
    if form is None or not (math.isfinite(number) and number >= 0):
        raise UsageError(
            f"`{text}` is not a tolerance",
            hint="give a number (relative), such as `0.01` or `1%`, or `0.01abs`",
        )
    match form["unit"]:
        case "abs":
            return Tolerance(absolute=number)
        case "%":
            return Tolerance(relative=number / 100)
        case _:
            return Tolerance(relative=number)
