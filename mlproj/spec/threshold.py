"""What a metric has to come to, as people write it: `rmse > 0.5`."""

from __future__ import annotations

import math
import re

from mlproj.errors import UsageError
from mlproj.model.webhooks import Comparison, Condition

_CONDITION = re.compile(r"\s*(?P<metric>[^<>=]+?)\s*(?P<comparison>[<>]=?)\s*(?P<threshold>[^\s<>=]+)\s*")


def read_threshold(text: str) -> Condition:
    """Raises UsageError."""
    found = _CONDITION.fullmatch(text)
    if found is not None:
        try:
            threshold = float(found["threshold"])
        except ValueError:
            threshold = math.nan
        if math.isfinite(threshold):
            comparison = Comparison(found["comparison"])
            return Condition(metric=found["metric"], comparison=comparison, threshold=threshold)
    raise UsageError(
        f"`{text[:100]}` says of no metric what it has to come to",
        hint="such as `rmse > 0.5`, with `>`, `>=`, `<` or `<=`",
    )
