"""What a metric is compared with, by a watch that runs a project or a webhook that tells of it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

import msgspec

from mlproj.model.logged import number_of

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}
_PLAIN_KEY = re.compile(r"(?!metrics?\.)[^\s<>=!`\"]+")


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric is compared with, by one of `> >= < <= = !=`. NaN fulfils none but the last."""

    key: str
    operator: str
    number: float

    def holds(self, value: float | str) -> bool:
        return COMPARISONS[self.operator](number_of(value), self.number)

    def __str__(self) -> str:
        """As `read_threshold` reads it."""
        quote = '"' if "`" in self.key else "`"
        key = self.key if _PLAIN_KEY.fullmatch(self.key) else f"{quote}{self.key}{quote}"
        number = int(self.number) if self.number.is_integer() and abs(self.number) < 1e15 else self.number
        return f"{key} {self.operator} {number}"
