from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.model.digest import canonical
from mlproj.model.logged import Point, Summary, order, point_lines, read_points, summed

numbers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
points: st.SearchStrategy[Point] = st.tuples(numbers, numbers, st.floats())
keys = st.text(st.characters(codec="utf-8"))


@given(key=keys, points=st.lists(points, max_size=5))
def test_a_line_is_canonical_json_and_reads_back(key: str, points: list[Point]) -> None:
    lines = list(point_lines((key, point) for point in points))
    assert [(name, order(point)) for name, point in read_points(lines)] == [
        (key, order(point)) for point in points
    ]
    for line in lines:
        assert canonical(json.loads(line, parse_int=float)) + b"\n" == line


@given(points=st.lists(points, min_size=2), cut=st.integers(min_value=1))
def test_a_sum_goes_on_from_an_earlier_one(points: list[Point], cut: int) -> None:
    cut = 1 + cut % (len(points) - 1)
    whole, halves = summed(points), summed(points[cut:], summed(points[:cut]))
    assert whole.cells == halves.cells
    assert order(whole.latest) == max(map(order, points))


def test_a_metric_of_nan_alone_has_no_extremes() -> None:
    assert summed([(0, 0, math.nan)]).cells == ("NaN", 0, 0, None, None, 1)
    known = Summary(step=0, timestamp=0, value=1.0, minimum=1.0, maximum=1.0, count=1)
    assert summed([(1, 0, math.nan)], known).cells == ("NaN", 1, 0, 1.0, 1.0, 2)


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"key": "a", "step": null, "timestamp": 1, "value": 1}'])
def test_what_is_no_point_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(read_points([line]))
