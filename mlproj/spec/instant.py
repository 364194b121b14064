"""Points in time as people write them, for `--as-of`: a day, or a moment, with or without its time zone."""

from __future__ import annotations

import datetime
import re

from mlproj.errors import UsageError

COMMIT = "commit"
"""Stands for the date of the source's commit, which only a look at the source tells."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_ZONE = re.compile(r"([+-]\d{2}):?(\d{2})$")
_FRACTION = re.compile(r"\.(\d{1,6})")


def instant(text: str) -> str:
    """The moment that `text` names, in RFC 3339 and UTC: `2024-01-31T12:00:00Z`.

    A bare day means its end, in UTC whatever the time zone here; a moment without zone is in UTC. The word
    COMMIT stays as it is. Raises UsageError for anything else.
    """
    written = text.strip()
    if written == COMMIT:
        return COMMIT
    try:
        if _DAY.fullmatch(written):
            return f"{datetime.date.fromisoformat(written).isoformat()}T23:59:59.999Z"
        if _MOMENT.fullmatch(written):
            return _in_utc(datetime.datetime.fromisoformat(_for_python(written)))
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"`--as-of` takes a date, and `{text}` is none",
        hint="such as `2024-01-31` (its end, in UTC), `2024-01-31T12:00:00Z`, or `commit`",
    )


def _for_python(written: str) -> str:
    """The moment in the one form that every Python reads."""
    zoned = re.sub("[Zz]$", "+00:00", f"{written[:10]}T{written[11:]}")
    return _FRACTION.sub(lambda found: f".{found[1]:0<6}", _ZONE.sub(r"\1:\2", zoned))


def _in_utc(moment: datetime.datetime) -> str:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
    text = zoned.astimezone(datetime.timezone.utc).isoformat(
        timespec="milliseconds" if moment.microsecond else "seconds"
    )
    return text.replace("+00:00", "Z")
