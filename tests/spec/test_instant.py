"""Dates for `--as-of`: what they mean, wherever they are read."""

from __future__ import annotations

import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.model.moment import seconds_of
from mlproj.spec.instant import instant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-01-31", "2024-01-31T23:59:59.999Z"),
        (" 2024-02-29 ", "2024-02-29T23:59:59.999Z"),
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00Z"),
        ("2024-01-31t12:00:00z", "2024-01-31T12:00:00Z"),
        ("2024-01-31 12:30", "2024-01-31T12:30:00Z"),
        ("2024-01-31T12:00:00+05:30", "2024-01-31T06:30:00Z"),
        ("2024-01-31T23:00:00-0200", "2024-02-01T01:00:00Z"),
        ("2024-01-31T12:00:00.5Z", "2024-01-31T12:00:00.500Z"),
        ("commit", "commit"),
    ],
)
def test_a_date_is_one_instant(written: str, meant: str) -> None:
    assert instant(written) == meant


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
def test_the_time_zone_here_does_not_count(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        assert instant("2024-01-31") == "2024-01-31T23:59:59.999Z"
        assert instant("2024-01-31T12:00") == "2024-01-31T12:00:00Z"
    time.tzset()


@pytest.mark.parametrize(
    "nonsense",
    [
        *("", "yesterday", "2024", "2024-13-01", "2023-02-29", "2024-01-31T25:00", "Commit", "2024-1-1"),
        *("0001-01-01T00:00+10:00", "2024-01-31T12:00+99:99", "\uff12024-01-31", "1706659200"),
    ],
)
def test_nonsense_is_one_sentence(nonsense: str) -> None:
    with pytest.raises(UsageError, match="takes a date") as caught:
        instant(nonsense)
    assert "2024-01-31" in str(caught.value.hint)


@given(st.text(max_size=30))
def test_whatever_is_written_is_an_instant_or_an_error(text: str) -> None:
    try:
        found = instant(text)
    except UsageError:
        return
    assert found == "commit" or (seconds_of(found) and found.endswith("Z"))


@given(st.datetimes(min_value=datetime.datetime(1970, 1, 2), timezones=st.timezones()))
def test_a_moment_stays_the_same_moment(moment: datetime.datetime) -> None:
    whole = moment.replace(microsecond=0)
    if len(whole.isoformat()) != len("2024-01-31T12:00:00+00:00"):
        return  # time zones of long ago, which differ from ours by seconds
    assert seconds_of(instant(whole.isoformat())) == whole.timestamp()
