"""Schedules as people write them: `--every 6h`, and the lines of cron, which are meant in local time."""

from __future__ import annotations

import datetime
import warnings

from cronsim import CronSim, CronSimError
from tzlocal import reload_localzone

from mlproj.errors import UsageError, unreachable
from mlproj.model.trigger import Cron, Every, Schedule
from mlproj.spec.duration import seconds

_LONGEST = 200
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def read_every(text: str) -> Every:
    """Raises UsageError for what is no length of time."""
    return Every(seconds=seconds(text), text=text.strip())


def read_cron(text: str) -> Cron:
    """Raises UsageError for what cron would not take, and for a time that never comes."""
    schedule = Cron(text=text.strip())
    try:
        comes = next_time(schedule, 0.0, datetime.timezone.utc) is not None
        why = "no day is like that"
    except (CronSimError, ValueError) as error:
        comes, why = False, str(error)
    if not comes:
        raise UsageError(
            f"`{text}` is no schedule of cron's: {why[:1].lower()}{why[1:]}",
            hint="minute, hour, day of the month, month, day of the week, such as `0 3 * * *`; or `@daily`",
        )
    return schedule


def local_zone() -> datetime.tzinfo:
    """The time zone of this machine, or that of `TZ`; UTC where nothing says which. Raises UsageError where
    there is none of that name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is UTC is what a bare container means
            return reload_localzone()
    except (LookupError, ValueError, OSError) as error:
        raise UsageError(
            f"the time zone of this machine cannot be told: {error}",
            hint="set `TZ`, such as to `Europe/Berlin`",
        ) from error


def next_time(schedule: Schedule, after: float, zone: datetime.tzinfo) -> float | None:
    """The first time after that moment (both in seconds since the epoch); None where there is none."""
    match schedule:
        case Every():
            return after + schedule.seconds
        case Cron():
            line = _NAMED.get(schedule.text.lower(), schedule.text)
            if len(line) > _LONGEST:
                raise ValueError("it is too long")
            times = CronSim(line, datetime.datetime.fromtimestamp(after, zone))
            found = next(times, None)
            return None if found is None else found.timestamp()
        case _:
            unreachable(schedule)
