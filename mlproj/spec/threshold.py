"""What a metric has to come to, as people write it: `rmse > 0.5`."""

from __future__ import annotations

import contextlib
import math
import re

from mlproj.errors import UsageError
from mlproj.model.webhooks import Comparison, Condition

_METRIC = re.compile(r"[/\w.\- :]+")
_COMPARISON = re.compile(r"[<>]=?")


def read_threshold(text: str) -> Condition:
    """Raises UsageError."""
    found = _COMPARISON.search(text)
    if found is not None:
        metric, threshold = text[: found.start()].strip(), _finite(text[found.end() :])
        if _METRIC.fullmatch(metric) and threshold is not None:
            return Condition(metric=metric, comparison=Comparison(found[0]), threshold=threshold)
    raise UsageError(
        f"`{text[:100]}` says of no metric what it has to come to",
        hint="such as `rmse > 0.5`, with `>`, `>=`, `<` or `<=`",
    )


def _finite(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        number = float(text)
        return number if math.isfinite(number) else None
    return None
