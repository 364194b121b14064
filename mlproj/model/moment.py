"""Moments as the record holds them: RFC 3339, in UTC, to the millisecond."""

from __future__ import annotations

import datetime
import re
import time

LAST_MOMENT = 253_402_300_799_999
"""The end of the year 9999, in milliseconds since the epoch: no later one can be written down."""

_DURATION = re.compile(r"(-?[0-9]{1,15})(?:\.([0-9]{1,9}))?s", re.ASCII)


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


def epoch_ms(moment: datetime.datetime) -> int:
    """Milliseconds since the epoch of a moment, which is in UTC where it does not say."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return round(moment.timestamp() * 1000)


def duration_ms(text: str | None) -> int | None:
    """Milliseconds of a duration as protobuf's JSON has it, `1.5s`; None for what is none."""
    read = _DURATION.fullmatch(text or "")
    return None if read is None else round(float(f"{read[1]}.{read[2] or 0}") * 1000)


def duration_text(milliseconds: int) -> str:
    """What `duration_ms` reads."""
    return f"{'-' if milliseconds < 0 else ''}{abs(milliseconds) // 1000}.{abs(milliseconds) % 1000:03}s"


def moment_of(milliseconds: int | None, otherwise: str) -> str:
    """The moment so many milliseconds after the epoch; `otherwise` where there is none that can be told."""
    try:
        return otherwise if milliseconds is None else timestamp(milliseconds / 1000)
    except (ValueError, OverflowError):
        return otherwise


def now() -> str:
    """This moment, by the machine's clock."""
    return timestamp(time.time())
