"""Conditions on a metric: what is one means what it says, and everything else is one sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import UsageError
from mlproj.model.threshold import Threshold
from mlproj.spec.threshold import read_threshold


@pytest.mark.parametrize(
    ("written", "key", "operator", "number"),
    [
        ("rmse > 60", "rmse", ">", 60.0),
        ("rmse>=60", "rmse", ">=", 60.0),
        (" val/loss  <= .5 ", "val/loss", "<=", 0.5),
        ("metrics.rmse == -1e-3", "rmse", "=", -0.001),
        ('metrics."mean error" != 2.', "mean error", "!=", 2.0),
        ("`a < b` < 3", "a < b", "<", 3.0),
        ("système/cpu-0.load > +7", "système/cpu-0.load", ">", 7.0),
    ],
)
def test_a_condition_is_read(written: str, key: str, operator: str, number: float) -> None:
    assert read_threshold(written) == Threshold(key=key, operator=operator, number=number)


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "rmse",
        "rmse >",
        "> 60",
        "rmse > much",
        "rmse => 60",
        "a b > 1",
        "rmse > 1e999",
        "rmse > nan",
        "`` > 1",
    ],
)
def test_nonsense_is_one_sentence(nonsense: str) -> None:
    with pytest.raises(UsageError, match="is no condition on a metric") as caught:
        read_threshold(nonsense)
    assert "rmse > 60" in str(caught.value.hint)


_KEYS = st.text(min_size=1, max_size=20).filter(lambda key: not ("`" in key and '"' in key))
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(_KEYS, st.sampled_from([">", ">=", "<", "<=", "=", "!="]), _NUMBERS)
def test_a_condition_is_read_as_it_is_written(key: str, operator: str, number: float) -> None:
    condition = Threshold(key=key, operator=operator, number=number)
    assert read_threshold(str(condition)) == condition


@given(_NUMBERS, _NUMBERS)
def test_a_value_is_above_or_at_most(value: float, number: float) -> None:
    above, most = read_threshold(f"x > {number!r}"), read_threshold(f"x <= {number!r}")
    assert above.holds(value) is (value > number) and above.holds(value) is not most.holds(value)
    for condition in (above, most):
        assert not condition.holds("NaN") and not condition.holds(math.nan)


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_condition_or_an_error(text: str) -> None:
    try:
        found = read_threshold(text)
    except UsageError:
        return
    assert found.key and math.isfinite(found.number) and read_threshold(str(found)) == found
