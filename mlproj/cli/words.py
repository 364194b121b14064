"""Times, contents and curves in the form in which people read them on a terminal; beside `mlproj.words`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mlproj.model.digest import Digest
from mlproj.words import counted, duration, number, size

__all__ = ["age", "content", "counted", "duration", "number", "short", "shortened", "size", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"


def age(seconds: float) -> str:
    """`12 s`, `5 min`, `3 h`, `40 d`: how long ago something was, in its largest unit."""
    amount, unit = max(seconds, 0.0), "s"
    for length, larger in ((60, "min"), (60, "h"), (24, "d")):
        if amount < length:
            break
        amount, unit = amount / length, larger
    return f"{int(amount)} {unit}"


class Content(Protocol):
    """What has a size and, where its bytes are known, a digest."""

    @property
    def digest(self) -> Digest | None: ...
    @property
    def size(self) -> int: ...


def content(item: Content, unknown: str = "") -> tuple[str, str]:
    """Size and digest in words; where nobody looked into it, `unknown`, and no size that nobody told."""
    if item.digest is None:
        return (size(item.size) if item.size else "", unknown)
    return (size(item.size), str(item.digest))


def short(digest: Digest | None) -> str:
    """The first twelve digits, enough to tell two apart by eye."""
    return "" if digest is None else digest.hex[:12]


def shortened(name: str, length: int = 16) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def sparkline(values: Sequence[float | str], width: int = 40) -> str:
    """The course of a metric in one line of bars; empty for fewer than two numbers."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < 2:
        return ""
    if len(numbers) > width:
        numbers = [numbers[i * (len(numbers) - 1) // (width - 1)] for i in range(width)]
    # In halves: the greatest number less the least is none.
    numbers = [value / 2 for value in numbers]
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1))] for value in numbers)
