"""Lengths of time as people write them: `90`, `30s`, `5m`, `2h`, `30d`."""

from __future__ import annotations

import math
import re

from mlproj.errors import UsageError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd]?)", re.ASCII)


def seconds(text: str) -> float:
    """The number of seconds in `text`, more than none; raises UsageError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    found = float(match["number"]) * _UNITS[match["unit"]] if match else 0.0
    if not 0 < found < math.inf:
        raise UsageError(
            f"`{text}` is not a length of time", hint="such as `90` (seconds), `30s`, `5m`, `2h`, `30d`"
        )
    return found
