"""Schedules: cron's lines in local time, as Debian's cron has them where clocks are changed."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.spec.schedule import local_zone, next_time, read_cron, read_every

BERLIN = ZoneInfo("Europe/Berlin")
_LATEST = 4102444800.0  # the year 2100


def _following(line: str, after: str, count: int = 3) -> list[str]:
    """The next times after a local one, in local time with the offset."""
    schedule, found = read_cron(line), []
    moment = datetime.datetime.fromisoformat(after).replace(tzinfo=BERLIN).timestamp()
    for _ in range(count):
        following = next_time(schedule, moment, BERLIN)
        assert following is not None
        moment = following
        found.append(datetime.datetime.fromtimestamp(moment, BERLIN).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("0 3 * * *", "2026-01-31 03:00", ["2026-02-01T03:00+01:00", "2026-02-02T03:00+01:00"]),
        ("@weekly", "2026-01-01 00:00", ["2026-01-04T00:00+01:00", "2026-01-11T00:00+01:00"]),
        ("30 9 1-7 * MON", "2026-01-01 00:00", ["2026-01-01T09:30+01:00", "2026-01-02T09:30+01:00"]),
        # half past two does not come on the day that clocks are put forward: it is made up for at three
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        # and comes twice, and counts once, on the day that they are put back
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("0 * * * *", "2026-10-25 01:30", ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]),
    ],
)
def test_times_are_local_ones(line: str, after: str, expected: list[str]) -> None:
    assert _following(line, after, len(expected)) == expected


def test_the_zone_is_that_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        assert str(local_zone()) == "Asia/Kathmandu"
        patch.setenv("TZ", "Atlantis/Capital")
        with pytest.raises(UsageError, match="the time zone of this machine cannot be told"):
            local_zone()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "wrong number of fields"),
        ("every day", "wrong number of fields"),
        ("61 * * * *", "bad minute"),
        ("0 3 * * FUN", "bad day-of-week"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("@never", "wrong number of fields"),
        ("9" * 5000, "it is too long"),
    ],
)
def test_a_bad_line_is_one_sentence(line: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"is no schedule of cron's: {why}"):
        read_cron(line)


@given(st.text(alphabet="0123456789*/,-# LWMON@daily", max_size=40) | st.text(max_size=40))
def test_whatever_is_written_is_a_schedule_or_an_error(text: str) -> None:
    try:
        schedule = read_cron(text)
    except UsageError:
        return
    following = next_time(schedule, 0.0, BERLIN)
    assert following is None or following > 0


_FIELDS = st.tuples(
    st.one_of(st.just("*"), st.integers(0, 59).map(str), st.integers(1, 59).map(lambda n: f"*/{n}")),
    st.one_of(st.just("*"), st.integers(0, 23).map(str)),
    st.one_of(st.just("*"), st.integers(1, 28).map(str)),
)


@given(_FIELDS, st.floats(0, _LATEST))
def test_the_next_time_is_the_first_that_fits(fields: tuple[str, str, str], after: float) -> None:
    minute, hour, day = fields
    schedule = read_cron(f"{minute} {hour} {day} * *")
    following = next_time(schedule, after, datetime.timezone.utc)
    assert following is not None and following > after and following % 60 == 0
    assert next_time(schedule, following - 1, datetime.timezone.utc) == following
    at = datetime.datetime.fromtimestamp(following, datetime.timezone.utc)
    for written, value in ((hour, at.hour), (day, at.day)):
        assert written in ("*", str(value))
    assert minute in ("*", str(at.minute)) or at.minute % int(minute.removeprefix("*/")) == 0


@given(st.floats(0, _LATEST), st.integers(1, 10_000))
def test_a_length_of_time_is_added(after: float, minutes: int) -> None:
    assert next_time(read_every(f"{minutes}m"), after, BERLIN) == after + 60 * minutes
