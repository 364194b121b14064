"""Moments as the record holds them: RFC 3339, in UTC, to the millisecond."""

from __future__ import annotations

import datetime
import time


def timestamp(seconds: float) -> str:
    """The moment `seconds` after the epoch, as in `2026-01-02T03:04:05.678Z`."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(moment: str) -> float:
    """Seconds since the epoch of what `timestamp` wrote. Raises ValueError."""
    return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def milliseconds(moment: str | None) -> int | None:
    """Milliseconds since the epoch; None for what is no moment."""
    try:
        return None if moment is None else round(seconds_of(moment) * 1000)
    except (ValueError, OverflowError):
        return None


def now() -> str:
    """This moment, by the machine's clock."""
    return timestamp(time.time())
