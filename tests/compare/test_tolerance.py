from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.model.tolerance import EXACT, Tolerance, read_tolerance

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(NUMBERS)
def test_a_number_is_accepted_for_itself(number: float) -> None:
    assert EXACT.accepts(number, number)


@given(NUMBERS, NUMBERS)
def test_without_tolerance_only_equal_numbers_are(expected: float, found: float) -> None:
    same = expected == found or (math.isnan(expected) and math.isnan(found))
    assert EXACT.accepts(expected, found) is same


@pytest.mark.parametrize(
    ("text", "expected", "found", "accepted"),
    [
        ("0.01", 100.0, 101.0, True),
        ("0.01", 100.0, 101.5, False),
        ("1%", -100.0, -99.0, True),
        ("0", 1.0, 1.0 + 1e-15, False),
        ("0.5abs", 0.0, 0.5, True),
        ("0.5abs", 0.0, 0.6, False),
        ("1e-3", 0.0, 1e-9, False),
        ("1e9", math.inf, -math.inf, False),
        ("1e9", 1.0, math.nan, False),
    ],
)
def test_a_tolerance_is_read_and_kept(text: str, expected: float, found: float, accepted: bool) -> None:
    assert read_tolerance(text).accepts(expected, found) is accepted


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1 2", "5%%", "abs", "1e999", "٣"])
def test_what_is_no_tolerance_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a tolerance"):
        read_tolerance(text)


def test_the_larger_of_both_counts() -> None:
    assert Tolerance(relative=0.1, absolute=5).accepts(10.0, 14.0)
