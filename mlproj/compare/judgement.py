"""What can be said of two contents that are not the same bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import msgspec

from mlproj.model.tolerance import Tolerance

_LONGEST_PLACE = 200


class Likeness(str, Enum):
    """How like two contents are, from most to least; of `UNKNOWN` nobody here can tell."""

    SAME = "same"
    """They say the same, written differently."""
    CLOSE = "close"
    """Numbers in them differ, each within its tolerance."""
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How like two contents are, read as which notation (`JSON`, `CSV`, ...), and what made them differ."""

    likeness: Likeness
    notation: str
    why: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts the values of two contents, which `unit` names (`value`, `cell`), as they are compared."""

    tolerance: Tolerance
    unit: str
    compared: int = 0
    beyond: int = 0
    within: int = 0
    largest: float = 0.0
    _where: str = ""
    _first: str | None = None

    def numbers(self, where: str, expected: float, found: float) -> None:
        self.compared += 1
        if expected == found or (math.isnan(expected) and math.isnan(found)):
            return
        size = _apart(expected, found)
        if size > self.largest:
            self.largest, self._where = size, where
        if self.tolerance.accepts(expected, found):
            self.within += 1
        else:
            self._differs(f"{where} is {found:.6g} instead of {expected:.6g}")

    def others(self, where: str, expected: object, found: object) -> None:
        """Values that are no numbers: they are equal or not."""
        self.compared += 1
        if expected != found:
            self._differs(f"{where} is {_shown(found)} instead of {_shown(expected)}")

    def missing(self, what: str) -> None:
        """Something that is in one of the two alone."""
        self._differs(what)

    def judgement(self, notation: str, same: str) -> Judgement:
        """`same` says what differs where no value does."""
        if self.beyond:
            many = "" if self.beyond == 1 else f" ({self.beyond} {self.unit}s differ)"
            return Judgement(likeness=Likeness.DIFFERENT, notation=notation, why=f"{self._first}{many}")
        if self.within:
            count = f"{self.within} of {self.compared} {self.unit}s"
            most = f"at most by {self.largest:.2g} of its size ({self._where})"
            why = f"{count} differ within the tolerance, {most}"
            return Judgement(likeness=Likeness.CLOSE, notation=notation, why=why)
        return Judgement(likeness=Likeness.SAME, notation=notation, why=same)

    def _differs(self, what: str) -> None:
        self.beyond += 1
        self._first = self._first or what


def place(above: str, below: str) -> str:
    """The name of a place in a document, the end of it where that is long: each value has one, and with long
    ones a small document would be large."""
    whole = above + below
    return whole if len(whole) <= _LONGEST_PLACE else f"…{whole[-_LONGEST_PLACE:]}"


def unknown(notation: str, why: str) -> Judgement:
    return Judgement(likeness=Likeness.UNKNOWN, notation=notation, why=why)


def _apart(expected: float, found: float) -> float:
    """How far apart two numbers are, as a share of the expected one."""
    if not (math.isfinite(expected) and math.isfinite(found)) or expected == 0:
        return math.inf
    return abs(found - expected) / abs(expected)


def _shown(value: object) -> str:
    text = f"`{value}`" if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
