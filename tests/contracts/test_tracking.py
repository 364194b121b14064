"""What every tracking store does with experiments and runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import AlreadyThere, NotFound, RunNotFound, UsageError
from mlproj.model.logged import order
from mlproj.model.search import AllOf, AnyOf, Comparison, Key, Kind, Operator, Order, Search
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    ModelOutput,
    NewRun,
    Page,
    RunStatus,
    TrackedRun,
)
from mlproj.tracking_ports import Experiments, TrackedRuns
from tests.contracts.trackings import TRACKINGS

START = 1_700_000_000_000
CONTEXT = "mlflow.data.context"
ALL = Page(limit=1000)
DATA = Dataset(name="wine", digest="9a8b", source_type="local", source='{"uri": "wine.csv"}', schema="{}")


class Served:
    """The parts of a tracking store that are tested here."""

    def __init__(self, experiments: Experiments, runs: TrackedRuns) -> None:
        self.experiments = experiments
        self.runs = runs

    def run(self, *, name: str = "calm-heron", started: int = START, experiment_id: str = "0") -> str:
        made = self.runs.create(NewRun(experiment_id=experiment_id, name=name, user="ada", started=started))
        return made.run_id


@pytest.fixture(params=TRACKINGS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    tracking = TRACKINGS[request.param](tmp_path)
    yield Served(tracking.experiments, tracking.runs)
    tracking.close()


def metric(key: str, value: float, *, step: int = 0, timestamp: int = START) -> Metric:
    return Metric(key=key, value=value, step=step, timestamp=timestamp)


def logged(*metrics: Metric, params: dict[str, str] | None = None, **tags: str) -> Batch:
    return Batch(metrics=metrics, params=tuple((params or {}).items()), tags=tuple(tags.items()))


def where(kind: Kind, name: str, operator: Operator, *values: str | float) -> Comparison:
    return Comparison(key=Key(kind=kind, name=name), operator=operator, values=values)


# Experiments


def test_the_experiment_of_runs_that_name_none_has_the_id_0(served: Served) -> None:
    assert served.experiments.get("0").name == "Default"
    assert served.experiments.named("Default").experiment_id == "0"


def test_an_experiment_is_made_and_found(served: Served) -> None:
    made = served.experiments.create("wine", artifact_location="s3://bucket/wine", tags=(("team", "red"),))
    assert made == served.experiments.get(made.experiment_id) == served.experiments.named("wine")
    assert (made.artifact_location, made.tags) == ("s3://bucket/wine", (("team", "red"),))
    assert made.created == made.updated > START
    with pytest.raises(AlreadyThere, match=r"Experiment\(name=wine\) already exists"):
        served.experiments.create("wine")


@pytest.mark.parametrize("missing", ["7", "-1", "x", "", "0x1", "٣", "1" * 40])
def test_an_experiment_that_is_not_there_is_not_found(served: Served, missing: str) -> None:
    with pytest.raises(NotFound, match="No Experiment with id="):
        served.experiments.get(missing)
    with pytest.raises(NotFound, match="Could not find experiment with name"):
        served.experiments.named(missing)


def test_a_deleted_experiment_goes_with_its_runs_and_comes_back_with_them(served: Served) -> None:
    made = served.experiments.create("wine")
    run_id = served.run(experiment_id=made.experiment_id)
    served.experiments.set_lifecycle(made.experiment_id, Lifecycle.DELETED)
    assert served.experiments.get(made.experiment_id).lifecycle is Lifecycle.DELETED
    assert served.runs.get(run_id).lifecycle is Lifecycle.DELETED
    with pytest.raises(NotFound):
        served.experiments.set_lifecycle(made.experiment_id, Lifecycle.DELETED)
    with pytest.raises(AlreadyThere):
        served.experiments.create("wine")
    with pytest.raises(UsageError, match=r"must be in the 'active' state\. Current state is deleted"):
        served.run(experiment_id=made.experiment_id)
    with pytest.raises(UsageError, match="must be in the 'active' state"):
        served.experiments.set_tag(made.experiment_id, "a", "b")
    with pytest.raises(UsageError, match="Cannot rename a non-active experiment"):
        served.experiments.rename(made.experiment_id, "beer")
    served.experiments.set_lifecycle(made.experiment_id, Lifecycle.ACTIVE)
    assert served.runs.get(run_id).lifecycle is Lifecycle.ACTIVE


def test_an_experiment_is_renamed_unless_the_name_is_taken(served: Served) -> None:
    made = served.experiments.create("wine")
    served.experiments.rename(made.experiment_id, "beer")
    assert served.experiments.named("beer").experiment_id == made.experiment_id
    with pytest.raises(AlreadyThere):
        served.experiments.rename(made.experiment_id, "Default")
    with pytest.raises(NotFound):
        served.experiments.named("wine")


def test_tags_of_an_experiment_are_set_changed_and_taken_away(served: Served) -> None:
    served.experiments.set_tag("0", "team", "red")
    served.experiments.set_tag("0", "team", "blue")
    assert served.experiments.get("0").tags == (("team", "blue"),)
    served.experiments.delete_tag("0", "team")
    assert served.experiments.get("0").tags == ()
    with pytest.raises(NotFound, match="No tag with name: team in experiment with id 0"):
        served.experiments.delete_tag("0", "team")


def test_experiments_are_searched_by_page(served: Served) -> None:
    for name in ("ale", "Beer", "cider"):
        served.experiments.create(name, tags=(("length", str(len(name))),))
    served.experiments.set_lifecycle(served.experiments.named("cider").experiment_id, Lifecycle.DELETED)

    def names(search: Search, lifecycle: Lifecycle | None = Lifecycle.ACTIVE) -> list[str]:
        found: list[Experiment] = []
        token: str | None = None
        while True:
            page = Page(limit=2, token=token)
            some, token = served.experiments.search(search, page, lifecycle=lifecycle)
            found += some
            if token is None:
                return [experiment.name for experiment in found]

    by_name = (Order(key=Key(kind=Kind.ATTRIBUTE, name="name")),)
    assert set(names(Search())) == {"ale", "Beer", "Default"}
    assert names(Search(order=by_name), None) == ["Beer", "Default", "ale", "cider"]
    assert names(Search(), Lifecycle.DELETED) == ["cider"]
    assert names(Search(where=where(Kind.TAG, "length", Operator.EQUAL, "3"))) == ["ale"]
    assert names(Search(where=where(Kind.ATTRIBUTE, "name", Operator.ILIKE, "b%"))) == ["Beer"]
    assert names(Search(where=where(Kind.ATTRIBUTE, "creation_time", Operator.LESS, 1.0))) == []
    assert len(names(Search(where=where(Kind.ATTRIBUTE, "last_update_time", Operator.GREATER, 1.0)))) == 3
    assert names(Search(where=where(Kind.ATTRIBUTE, "experiment_id", Operator.EQUAL, "0"))) == ["Default"]


# Runs


def test_a_run_is_begun_and_found(served: Served) -> None:
    made = served.runs.create(
        NewRun(
            experiment_id="0",
            name="calm-heron",
            user="ada",
            started=START,
            tags=(("mlflow.source.name", "train.py"), ("mlflow.runName", "calm-heron")),
        )
    )
    assert made == served.runs.get(made.run_id)
    assert made.status is RunStatus.RUNNING
    assert (made.name, made.user, made.started, made.ended) == ("calm-heron", "ada", START, None)
    assert made.tags == (("mlflow.runName", "calm-heron"), ("mlflow.source.name", "train.py"))
    assert made.artifact_uri.endswith(f"/{made.run_id}/artifacts")


def test_a_run_without_a_name_gets_one(served: Served) -> None:
    tagged = served.runs.create(
        NewRun(experiment_id="0", name="", user="", started=0, tags=(("mlflow.runName", "tagged"),))
    )
    assert tagged.name == "tagged"
    assert served.runs.get(served.run(name="")).name


def test_artifacts_are_where_the_experiment_says(served: Served) -> None:
    made = served.experiments.create("wine", artifact_location="s3://bucket/wine/")
    run_id = served.run(experiment_id=made.experiment_id)
    assert served.runs.get(run_id).artifact_uri == f"s3://bucket/wine/{run_id}/artifacts"


def test_a_run_that_is_not_there_is_not_found(served: Served) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.runs.get("x"),
        lambda: served.runs.update("x", status=RunStatus.FINISHED),
        lambda: served.runs.set_lifecycle("x", Lifecycle.DELETED),
        lambda: served.runs.move("x", "0"),
        lambda: served.runs.log("x", Batch()),
        lambda: served.runs.delete_tag("x", "key"),
        lambda: served.runs.log_inputs("x", ()),
        lambda: served.runs.log_outputs("x", ()),
        lambda: served.runs.history("x", "key"),
        lambda: served.runs.sampled(("x",), "key", 5),
        lambda: served.runs.summaries("x"),
    )
    for call in calls:
        with pytest.raises(RunNotFound, match="Run with id=x not found"):
            call()
    with pytest.raises(NotFound, match="No Experiment with id=9 exists"):
        served.run(experiment_id="9")


def test_a_deleted_run_takes_nothing(served: Served) -> None:
    run_id = served.run()
    served.runs.set_lifecycle(run_id, Lifecycle.DELETED)
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.runs.update(run_id, status=RunStatus.FINISHED),
        lambda: served.runs.move(run_id, "0"),
        lambda: served.runs.log(run_id, logged(metric("loss", 1))),
        lambda: served.runs.delete_tag(run_id, "key"),
        lambda: served.runs.log_inputs(run_id, ()),
        lambda: served.runs.log_outputs(run_id, ()),
    )
    for call in calls:
        with pytest.raises(UsageError, match=r"must be in the 'active' state\. Current state is deleted"):
            call()
    served.runs.set_lifecycle(run_id, Lifecycle.ACTIVE)
    served.runs.log(run_id, logged(metric("loss", 1)))
    assert served.runs.get(run_id).lifecycle is Lifecycle.ACTIVE


def test_a_params_value_stays(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(params={"alpha": "0.5"}))
    served.runs.log(run_id, logged(params={"alpha": "0.5", "beta": "x"}))
    assert served.runs.get(run_id).params == (("alpha", "0.5"), ("beta", "x"))
    told = (
        r"Changing param values is not allowed\. Param with key='alpha' was already logged with value='0.5'"
        f" for run ID='{run_id}'. Attempted logging new value '0.50'."
    )
    with pytest.raises(UsageError, match=told):
        served.runs.log(run_id, logged(metric("loss", 1), params={"gamma": "1", "alpha": "0.50"}))
    found = served.runs.get(run_id)
    assert (len(found.params), found.metrics) == (2, ()), "a batch is logged whole or not at all"


def test_tags_of_a_run_are_set_changed_and_taken_away(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, logged(team="red", kind="draft"))
    served.runs.log(run_id, logged(team="blue"))
    served.runs.delete_tag(run_id, "kind")
    assert dict(served.runs.get(run_id).tags) == {"mlflow.runName": "calm-heron", "team": "blue"}
    with pytest.raises(NotFound, match=f"No tag with name: kind in run with id {run_id}"):
        served.runs.delete_tag(run_id, "kind")


def test_a_name_is_a_tag_too(served: Served) -> None:
    run_id = served.run()
    served.runs.log(run_id, Batch(tags=(("mlflow.runName", "bold-heron"),)))
    assert served.runs.get(run_id).name == "bold-heron"
    served.runs.update(run_id, name="odd-heron")
    assert dict(served.runs.get(run_id).tags)["mlflow.runName"] == "odd-heron"
    search = Search(where=where(Kind.TAG, "mlflow.runName", Operator.EQUAL, "odd-heron"))
    assert [run.run_id for run in served.runs.search(("0",), search, ALL)[0]] == [run_id]


def test_a_client_sees_the_status_that_it_set(served: Served) -> None:
    run_id = served.run()
    updated = served.runs.update(run_id, status=RunStatus.FAILED, ended=START + 5)
    assert updated == served.runs.get(run_id)
    assert (updated.status, updated.ended) == (RunStatus.FAILED, START + 5)
    resumed = served.runs.update(run_id, status=RunStatus.RUNNING)
    assert (resumed.status, resumed.ended) == (RunStatus.RUNNING, START + 5)
    served.runs.log(run_id, logged(metric("loss", 1), params={"late": "1"}, late="yes"))
    again = served.runs.update(run_id, status=RunStatus.FINISHED, ended=START + 9)
    assert (again.status, again.ended, again.params) == (RunStatus.FINISHED, START + 9, (("late", "1"),))


def test_a_run_moves_to_another_experiment_while_it_goes_on(served: Served) -> None:
    made, run_id = served.experiments.create("wine"), served.run()
    served.runs.move(run_id, made.experiment_id)
    assert served.runs.get(run_id).experiment_id == made.experiment_id
    served.runs.update(run_id, status=RunStatus.FINISHED)
    served.runs.move(run_id, made.experiment_id)
    with pytest.raises(UsageError, match="has ended"):
        served.runs.move(run_id, "0")


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_record_can_hold_is_refused(served: Served, text: str) -> None:
    run_id = served.run()
    calls: tuple[Callable[[], object], ...] = (
        lambda: served.experiments.create(text),
        lambda: served.experiments.rename("0", text),
        lambda: served.experiments.set_tag("0", text, "x"),
        lambda: served.run(name=text),
        lambda: served.runs.update(run_id, name=text),
        lambda: served.runs.log(run_id, logged(metric(text, 1))),
        lambda: served.runs.log(run_id, logged(params={"x": text})),
        lambda: served.runs.log(run_id, logged(x=text)),
        lambda: served.runs.log_inputs(
            run_id, (DatasetInput(dataset=Dataset(name=text, digest="", source_type="", source="")),)
        ),
        lambda: served.runs.log_outputs(run_id, (ModelOutput(model_id=text),)),
    )
    for call in calls:
        with pytest.raises(UsageError, match="cannot be stored"):
            call()


@pytest.mark.parametrize("moment", [-1, 2**60])
def test_a_moment_that_no_record_can_hold_is_refused(served: Served, moment: int) -> None:
    run_id = served.run()
    with pytest.raises(UsageError, match="no time"):
        served.run(started=moment)
    with pytest.raises(UsageError, match="no time"):
        served.runs.update(run_id, status=RunStatus.FINISHED, ended=moment)
    for step, timestamp in ((2**60, 0), (0, -(2**60))):
        with pytest.raises(UsageError, match="beyond"):
            served.runs.log(run_id, logged(metric("loss", 1, step=step, timestamp=timestamp)))


def test_datasets_are_inputs_once(served: Served) -> None:
    first, second = served.run(), served.run(started=START + 1)
    read = DatasetInput(dataset=DATA, tags=((CONTEXT, "training"), ("a", "b")))
    served.runs.log_inputs(first, (read, DatasetInput(dataset=DATA, tags=((CONTEXT, "eval"),))))
    served.runs.log_inputs(first, (read,))
    served.runs.log_inputs(second, (DatasetInput(dataset=DATA),))
    assert served.runs.get(first).inputs == (
        DatasetInput(dataset=DATA, tags=(("a", "b"), (CONTEXT, "training"))),
    )
    assert served.runs.get(second).inputs == (DatasetInput(dataset=DATA),)
    assert sorted(served.runs.datasets(("0", "x")), key=repr) == [
        ("0", "wine", "9a8b", "training"),
        ("0", "wine", "9a8b", None),
    ]
    search = Search(where=where(Kind.DATASET, "context", Operator.EQUAL, "training"))
    assert [run.run_id for run in served.runs.search(("0",), search, ALL)[0]] == [first]


def test_models_are_inputs_and_outputs(served: Served) -> None:
    run_id = served.run()
    served.runs.log_inputs(run_id, (), ("m-1",))
    served.runs.log_outputs(run_id, (ModelOutput(model_id="m-2", step=3), ModelOutput(model_id="m-3")))
    served.runs.log_outputs(run_id, (ModelOutput(model_id="m-3"),))
    found = served.runs.get(run_id)
    assert found.model_inputs == ("m-1",)
    assert found.model_outputs == (ModelOutput(model_id="m-3"), ModelOutput(model_id="m-2", step=3))


# Metrics


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


# Searches


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
