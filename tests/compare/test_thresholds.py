from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.compare.thresholds import judge_metric
from mlproj.model.rules import MetricRule
from mlproj.model.tolerance import Tolerance


def holds(rule: MetricRule, value: float | None, now: float | None = None) -> list[bool]:
    found = {} if value is None else {rule.key: value}
    current = {} if now is None else {rule.key: now}
    return [check.holds for check in judge_metric(rule, found, current)]


def test_bounds_include_their_ends() -> None:
    rule = MetricRule(key="rmse", at_least=0.2, at_most=0.8)
    assert [holds(rule, value) for value in (0.1, 0.2, 0.8, 0.9)] == [
        [False, True],
        [True, True],
        [True, True],
        [True, False],
    ]


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_no_number_is_within_no_bound(value: float | None) -> None:
    assert holds(MetricRule(key="rmse", at_least=0, at_most=1, better="lower"), value) == [False] * 3


@given(now=st.floats(0.1, 100), step=st.floats(0.001, 10))
def test_worse_is_the_other_way_round_for_what_should_be_low(now: float, step: float) -> None:
    for better, good in (("higher", now + step), ("lower", now - step)):
        rule = MetricRule(key="m", better=better)
        assert holds(rule, good, now) == holds(rule, now, now) == [True]
        assert holds(rule, 2 * now - good, now) == [False]


def test_a_little_worse_is_within_the_tolerance() -> None:
    rule = MetricRule(key="m", better="lower", tolerance=Tolerance(relative=0.01))
    assert [holds(rule, value, 100.0) for value in (100.9, 101.1)] == [[True], [False]]


def test_where_nothing_is_in_use_nothing_is_worse() -> None:
    assert holds(MetricRule(key="m", better="higher"), 0.1) == [True]
    assert holds(MetricRule(key="m", better="higher"), 0.1, math.nan) == [True]
