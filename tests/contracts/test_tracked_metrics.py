"""What every tracking store does with points of metrics."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import NotFound, UsageError
from mlproj.model.logged import order
from mlproj.model.search import Search
from mlproj.model.tracking import (
    Metric,
    Page,
)
from tests.contracts.served import START, Served, logged, metric


def test_a_metric_of_a_model_that_is_not_there_is_refused(served: Served) -> None:
    run_id = served.run()
    point = Metric(key="loss", value=1, timestamp=START, model_id="m-none")
    with pytest.raises(NotFound, match="Logged model with ID 'm-none' not found"):
        served.runs.log(run_id, logged(point))
    assert served.runs.summaries(run_id) == []


def test_the_latest_point_is_that_of_the_greatest_step_time_and_value(served: Served) -> None:
    run_id = served.run()
    for value, step, timestamp in ((1.0, 2, 5), (2.0, 2, 6), (1.5, 2, 6), (9.0, 1, 9)):
        served.runs.log(run_id, logged(metric("loss", value, step=step, timestamp=timestamp)))
    latest = metric("loss", 2.0, step=2, timestamp=6)
    assert served.runs.get(run_id).metrics == (latest,)
    (summary,) = served.runs.summaries(run_id)
    assert (summary.latest, summary.minimum, summary.maximum, summary.count) == (latest, 1.0, 9.0, 4)


points = st.builds(
    Metric,
    key=st.sampled_from(("loss", "é/ü", "a b")),
    value=st.sampled_from((0.0, -0.0, 1.0, -2.5, 1e300, 1e-7, 123456789.125, math.nan, math.inf, -math.inf)),
    timestamp=st.integers(min_value=0, max_value=2),
    step=st.integers(min_value=-1, max_value=2),
)


batches = st.lists(st.lists(points, max_size=8), max_size=5)


def cells(metric: Metric) -> tuple[int, int, float, bool]:
    return order((metric.step, metric.timestamp, metric.value))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=batches)
def test_every_point_is_kept_once_and_summed_up(served: Served, batches: list[list[Metric]]) -> None:
    run_id = served.run()
    for batch in batches:
        served.runs.log(run_id, logged(*batch))
    every = [point for batch in batches for point in batch]
    for key in {point.key for point in every}:
        expected = sorted({cells(point) for point in every if point.key == key})
        history, token = served.runs.history(run_id, key)
        assert ([cells(point) for point in history], token) == (expected, None)
        (summary,) = [item for item in served.runs.summaries(run_id) if item.latest.key == key]
        assert (cells(summary.latest), summary.count) == (expected[-1], len(expected))
        numbers = [value for _, _, value, nan in expected if not nan]
        assert summary.minimum == min(numbers, default=None)
        assert summary.maximum == max(numbers, default=None)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(logged_points=st.lists(points, max_size=30), limit=st.integers(min_value=1, max_value=7))
def test_pages_of_a_history_make_the_whole(served: Served, logged_points: list[Metric], limit: int) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(*logged_points))
    whole, _ = served.runs.history(run_id, "loss")
    turned: list[Metric] = []
    token: str | None = None
    while True:
        page, token = served.runs.history(run_id, "loss", Page(limit=limit, token=token))
        assert len(page) <= limit
        turned += page
        if token is None:
            break
    assert list(map(cells, turned)) == list(map(cells, whole))


@pytest.mark.parametrize("token", ["x", "bm9uZQ==", "WzEsMiwzXQ==", "WzEsMiwieCIsZmFsc2Vd", "é"])
def test_a_page_token_that_nobody_gave_is_refused(served: Served, token: str) -> None:
    run_id = served.run()
    with pytest.raises(UsageError, match="page token"):
        served.runs.history(run_id, "loss", Page(limit=5, token=token))
    with pytest.raises(UsageError, match="page token"):
        served.runs.search(("0",), Search(), Page(limit=5, token=token))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    count=st.integers(min_value=0, max_value=60),
    most=st.integers(min_value=1, max_value=70),
    first=st.none() | st.integers(min_value=0, max_value=60),
    last=st.none() | st.integers(min_value=0, max_value=60),
)
def test_a_sample_is_spread_evenly(
    served: Served, count: int, most: int, first: int | None, last: int | None
) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(*(metric("loss", step, step=step) for step in range(count))))
    asked = [step for step in range(count) if (first or 0) <= step <= (count if last is None else last)]
    steps = [m.step for _, m in served.runs.sampled((run_id,), "loss", most, first=first, last=last)]
    assert len(steps) == min(most, len(asked))
    assert steps == sorted(set(steps) & set(asked))
    if len(steps) > 1:
        assert (steps[0], steps[-1]) == (asked[0], asked[-1])
        gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
        assert max(gaps) - min(gaps) <= 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    points=st.sets(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=36),
    most=st.integers(min_value=2, max_value=40),
    apart=st.integers(min_value=1, max_value=3),
)
def test_a_sample_holds_the_ends_however_the_steps_lie(
    served: Served, points: set[tuple[int, int]], most: int, apart: int
) -> None:
    run_id = served.run()
    logged_points = sorted((step * apart, timestamp) for step, timestamp in points)
    metrics = (metric("loss", 0.5, step=step, timestamp=timestamp) for step, timestamp in logged_points)
    served.runs.log(run_id, logged(*metrics))
    found = [(m.step, m.timestamp) for _, m in served.runs.sampled((run_id,), "loss", most)]
    assert len(found) == min(most, len(points))
    assert found == sorted(set(found) & set(logged_points))
    assert found[0][0] == logged_points[0][0] and found[-1][0] == logged_points[-1][0]


def test_samples_are_of_several_runs(served: Served) -> None:
    first, second = served.run(), served.run()
    for run_id in (first, second):
        served.runs.log(run_id, logged(*(metric("loss", step, step=step) for step in range(10))))
    found = served.runs.sampled((second, first), "loss", 2)
    assert [(run_id, point.step) for run_id, point in found] == [
        (second, 0),
        (second, 9),
        (first, 0),
        (first, 9),
    ]
