"""What every tracking store finds of runs, in which order."""

from __future__ import annotations

import math

import pytest

from mlproj.model.search import AllOf, AnyOf, Comparison, Key, Kind, Operator, Order, Search
from mlproj.model.tracking import (
    PARENT,
    Batch,
    Lifecycle,
    Page,
    TrackedRun,
)
from tests.contracts.served import ALL, START, Served, logged, metric, where


@pytest.fixture
def three(served: Served) -> tuple[Served, dict[str, str]]:
    """Three runs, by what their `rmse` is; of one it is NaN, and one has none."""
    names = {}
    for number, (name, value) in enumerate((("low", 0.1), ("nan", math.nan), ("none", None))):
        run_id = served.run(name=name, started=START + number)
        metrics = () if value is None else (metric("rmse", value),)
        served.runs.log(run_id, logged(*metrics, params={"alpha": str(number)}, team=name.upper()))
        names[run_id] = name
    return served, names


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (AllOf(), ["none", "nan", "low"]),
        (where(Kind.METRIC, "rmse", Operator.LESS, 0.5), ["low"]),
        (where(Kind.METRIC, "rmse", Operator.EQUAL, 0.0), []),
        (where(Kind.PARAM, "alpha", Operator.GREATER, 0.5), ["none", "nan"]),
        (where(Kind.PARAM, "alpha", Operator.EQUAL, "1"), ["nan"]),
        (where(Kind.PARAM, "beta", Operator.IS_NULL), ["none", "nan", "low"]),
        (where(Kind.TAG, "team", Operator.LIKE, "N%"), ["none", "nan"]),
        (where(Kind.TAG, "team", Operator.LIKE, "n%"), []),
        (where(Kind.ATTRIBUTE, "run_name", Operator.IN, "low", "nan"), ["nan", "low"]),
        (where(Kind.ATTRIBUTE, "start_time", Operator.GREATER, START + 1.0), ["none"]),
        (where(Kind.ATTRIBUTE, "status", Operator.EQUAL, "RUNNING"), ["none", "nan", "low"]),
        (where(Kind.ATTRIBUTE, "user_id", Operator.UNEQUAL, "ada"), []),
        (where(Kind.ATTRIBUTE, "artifact_uri", Operator.LIKE, "%/artifacts"), ["none", "nan", "low"]),
        (
            AnyOf(
                (
                    where(Kind.METRIC, "rmse", Operator.LESS, 0.5),
                    where(Kind.TAG, "mlflow.runName", Operator.EQUAL, "none"),
                )
            ),
            ["none", "low"],
        ),
    ],
)
def test_runs_are_searched(
    three: tuple[Served, dict[str, str]], expression: AllOf | AnyOf | Comparison, expected: list[str]
) -> None:
    served, names = three
    found, token = served.runs.search(("0",), Search(where=expression), ALL)
    assert ([names[run.run_id] for run in found], token) == (expected, None)


@pytest.mark.parametrize(
    ("key", "descending", "expected"),
    [
        (Key(kind=Kind.METRIC, name="rmse"), False, ["low", "nan", "none"]),
        (Key(kind=Kind.METRIC, name="rmse"), True, ["low", "nan", "none"]),
        (Key(kind=Kind.PARAM, name="alpha"), True, ["none", "nan", "low"]),
        (Key(kind=Kind.TAG, name="mlflow.runName"), False, ["low", "nan", "none"]),
        (Key(kind=Kind.ATTRIBUTE, name="start_time"), False, ["low", "nan", "none"]),
        (Key(kind=Kind.ATTRIBUTE, name="end_time"), False, ["none", "nan", "low"]),
    ],
)
def test_runs_are_sorted_page_by_page(
    three: tuple[Served, dict[str, str]], key: Key, descending: bool, expected: list[str]
) -> None:
    served, names = three
    search = Search(order=(Order(key=key, descending=descending),))
    found: list[TrackedRun] = []
    token: str | None = None
    for _ in expected:
        some, token = served.runs.search(("0",), search, Page(limit=1, token=token))
        found += some
    assert ([names[run.run_id] for run in found], token) == (expected, None)


def test_only_what_is_asked_for_is_searched(three: tuple[Served, dict[str, str]]) -> None:
    served, names = three
    hidden = next(iter(names))
    served.runs.set_lifecycle(hidden, Lifecycle.DELETED)
    assert [
        run.run_id for run in served.runs.search(("0",), Search(), ALL, lifecycle=Lifecycle.DELETED)[0]
    ] == [hidden]
    assert len(served.runs.search(("0",), Search(), ALL)[0]) == 2
    assert len(served.runs.search(("0", "x"), Search(), ALL, lifecycle=None)[0]) == 3
    assert served.runs.search((), Search(), ALL) == ([], None)
    assert served.runs.search(("7",), Search(), ALL) == ([], None)


def test_those_on_top_are_begun_below_none_that_is_found(served: Served) -> None:
    """Whatever deletes, moves or misnames the one above, each run is found once: with it, or on top."""
    names: dict[str, str] = {}
    for number, name in enumerate(("top", "below", "deeper", "alone", "odd")):
        names[name] = served.run(name=name, started=START + number)
    above = {
        "below": names["top"],
        "deeper": names["below"],
        "odd": names["odd"],
        "alone": "no such run",
    }
    for name, parent in above.items():
        served.runs.log(names[name], Batch(tags=((PARENT, parent),)))

    def on_top(*experiment_ids: str, lifecycle: Lifecycle = Lifecycle.ACTIVE) -> list[str]:
        found, _ = served.runs.search(
            experiment_ids, Search(), Page(limit=10), lifecycle=lifecycle, on_top=True
        )
        return [run.name for run in found]

    assert on_top("0") == ["odd", "alone", "top"]
    elsewhere = served.experiments.create("elsewhere").experiment_id
    served.runs.move(names["top"], elsewhere)
    assert on_top("0") == ["odd", "alone", "below"]
    assert on_top("0", elsewhere) == ["odd", "alone", "top"]
    served.runs.set_lifecycle(names["below"], Lifecycle.DELETED)
    assert on_top("0") == ["odd", "alone", "deeper"]
    assert on_top("0", lifecycle=Lifecycle.DELETED) == ["below"]
