"""Conditions on a metric as people write them for `--on-metric`: `rmse > 60`."""

from __future__ import annotations

import math
import re

from mlproj.errors import UsageError
from mlproj.model.threshold import Threshold

_THRESHOLD = re.compile(
    r"(?:metrics?\.)?(?P<key>`[^`]+`|\"[^\"]+\"|[^\s<>=!`\"]+)\s*"
    r"(?P<operator>>=|<=|==|!=|=|>|<)\s*"
    r"(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
)


def read_threshold(text: str) -> Threshold:
    """A key (in backticks or double quotes where it is no plain word, and after `metrics.` if one likes, as
    in MLflow's filters), a comparison and a number. Raises UsageError for anything else."""
    found = _THRESHOLD.fullmatch(text.strip())
    number = math.inf if found is None else float(found["number"])
    if found is None or math.isinf(number):
        raise UsageError(
            f"`{text[:100]}` is no condition on a metric",
            hint="a metric, a comparison and a number, such as `rmse > 60`",
        )
    sign = "=" if found["operator"] == "==" else found["operator"]
    key = found["key"]
    return Threshold(key=key[1:-1] if key[0] in '`"' else key, operator=sign, number=number)
