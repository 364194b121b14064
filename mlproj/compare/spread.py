"""Whether a number differs from those of several runs by more than these do from each other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

_QUANTILES = (
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169,
    3.106, 3.055, 3.012, 2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845,
    2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.750,
)  # fmt: skip
"""Student's t for 1 to 30 degrees of freedom at 0.995 (any statistician's table), then the normal's."""
_NORMAL = 2.576


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """What several runs of the same came to."""

    lowest: float
    highest: float
    mean: float
    deviation: float
    count: int

    def holds(self, value: float) -> bool:
        """Whether one more run of the same may well have come to `value`: it is in the interval in which a
        further one of normally distributed values lies in 99 of 100 cases (a prediction interval)."""
        if self.lowest <= value <= self.highest:
            return True
        quantile = _QUANTILES[self.count - 2] if self.count - 2 < len(_QUANTILES) else _NORMAL
        return abs(value - self.mean) <= quantile * self.deviation * math.sqrt(1 + 1 / self.count)


def spread_of(values: Sequence[float]) -> Spread | None:
    """None for fewer than two values, and where one is no finite number."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    return Spread(
        lowest=min(values),
        highest=max(values),
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values),
        count=len(values),
    )
