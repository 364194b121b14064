"""What everything that keeps logged models does."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence

import pytest

from mlproj.errors import NotFound, UsageError
from mlproj.model.search import Measured
from mlproj.model.tracking import Batch, Lifecycle, LoggedModel, Metric, NewRun, Page
from mlproj.spec.filters import FieldOrder, read_model_search
from mlproj.tracking_ports import Tracking

WINE = Measured(dataset_name="wine", dataset_digest="d1")
BEER = Measured(dataset_name="beer")


def begun(tracking: Tracking) -> str:
    run = NewRun(experiment_id="0", name="r", user="ada", started=1)
    return tracking.runs.create(run).run_id


def measured(
    tracking: Tracking,
    run_id: str,
    model: LoggedModel,
    value: float,
    *,
    step: int = 0,
    on: Measured | None = None,
) -> None:
    metric = Metric(
        key="rmse",
        value=value,
        timestamp=100 + step,
        step=step,
        model_id=model.model_id,
        dataset_name=None if on is None else on.dataset_name,
        dataset_digest=None if on is None else on.dataset_digest,
    )
    tracking.runs.log(run_id, Batch(metrics=(metric,)))


def test_a_model_is_created_pending_and_becomes_ready(tracking: Tracking) -> None:
    run_id = begun(tracking)
    model = tracking.models.create(
        "0",
        name="tree",
        model_type="sklearn",
        source_run_id=run_id,
        params=(("depth", "3"),),
        tags=(("b", "2"), ("a", "1")),
    )
    assert re.fullmatch("m-[0-9a-f]{32}", model.model_id)
    assert model.artifact_uri.endswith(f"/models/{model.model_id}/artifacts")
    assert (model.name, model.model_type, model.status) == ("tree", "sklearn", "PENDING")
    assert (model.experiment_id, model.source_run_id) == ("0", run_id)
    assert (model.params, model.tags, model.metrics) == ((("depth", "3"),), (("a", "1"), ("b", "2")), ())
    assert tracking.models.get(model.model_id) == model
    done = tracking.models.finalize(model.model_id, "READY")
    assert (done.status, done.created) == ("READY", model.created)
    assert done.updated >= model.updated
    assert tracking.models.finalize(model.model_id, "FAILED").status == "FAILED"
    with pytest.raises(UsageError, match="`DONE` is no state of a logged model"):
        tracking.models.finalize(model.model_id, "DONE")


def test_its_artifacts_are_below_those_of_its_experiment(tracking: Tracking) -> None:
    experiment = tracking.experiments.create("far", artifact_location="s3://bucket/far/")
    model = tracking.models.create(experiment.experiment_id, name=None)
    assert model.artifact_uri == f"s3://bucket/far/models/{model.model_id}/artifacts"


def test_a_model_that_nobody_named_gets_a_name(tracking: Tracking) -> None:
    first, second = (tracking.models.create("0", name=None) for _ in range(2))
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", first.name)
    assert first.model_id != second.model_id


def test_a_model_needs_an_experiment_that_is_there(tracking: Tracking) -> None:
    for identifier in ("99", "x", ""):
        with pytest.raises(NotFound, match=f"^No Experiment with id={identifier} exists$"):
            tracking.models.create(identifier, name="m")
    gone = tracking.experiments.create("gone").experiment_id
    tracking.experiments.set_lifecycle(gone, Lifecycle.DELETED)
    with pytest.raises(UsageError, match="must be in the 'active' state"):
        tracking.models.create(gone, name="m")


def test_what_is_not_there_is_not_found(tracking: Tracking) -> None:
    models = tracking.models
    for call in (
        lambda: models.get("m-1"),
        lambda: models.finalize("m-1", "READY"),
        lambda: models.delete("m-1"),
        lambda: models.log_params("m-1", (("a", "b"),)),
        lambda: models.set_tags("m-1", (("a", "b"),)),
        lambda: models.delete_tag("m-1", "a"),
    ):
        with pytest.raises(NotFound, match=r"^Logged model with ID 'm-1' not found\.$"):
            call()


def test_a_deleted_model_is_not_found(tracking: Tracking) -> None:
    model = tracking.models.create("0", name="m")
    tracking.models.delete(model.model_id)
    with pytest.raises(NotFound, match="not found"):
        tracking.models.get(model.model_id)
    assert found(tracking) == []


def test_tags_change_and_params_do_not(tracking: Tracking) -> None:
    models = tracking.models
    model_id = models.create("0", name="m", params=(("depth", "3"),)).model_id
    models.log_params(model_id, (("depth", "3"), ("width", "4"), ("width", "4")))
    with pytest.raises(UsageError, match="Changing param values is not allowed"):
        models.log_params(model_id, (("height", "1"), ("depth", "5")))
    assert models.get(model_id).params == (("depth", "3"), ("width", "4"))
    models.set_tags(model_id, (("a", "1"), ("b", "2")))
    assert models.set_tags(model_id, (("a", "3"), ("a", "4"))).tags == (("a", "4"), ("b", "2"))
    models.delete_tag(model_id, "a")
    assert models.get(model_id).tags == (("b", "2"),)
    with pytest.raises(NotFound, match=f"No tag with key 'a' found for model with ID '{model_id}'"):
        models.delete_tag(model_id, "a")


def test_metrics_of_runs_are_linked_to_the_model(tracking: Tracking) -> None:
    model = tracking.models.create("0", name="m")
    first, second = begun(tracking), begun(tracking)
    measured(tracking, first, model, 0.5, on=WINE)
    measured(tracking, first, model, 0.5, on=WINE)
    measured(tracking, first, model, math.nan, step=1)
    measured(tracking, second, model, -0.25, step=2, on=BEER)
    points = tracking.models.get(model.model_id).metrics
    assert [(point.step, point.run_id, point.model_id) for point in points] == [
        (0, first, model.model_id),
        (1, first, model.model_id),
        (2, second, model.model_id),
    ]
    assert (points[0].value, points[0].dataset_name, points[0].dataset_digest) == (0.5, "wine", "d1")
    assert math.isnan(points[1].value)
    assert (points[2].dataset_name, points[2].dataset_digest) == ("beer", None)


def test_a_metric_of_a_model_that_is_not_there_is_refused(tracking: Tracking) -> None:
    run_id = begun(tracking)
    metric = Metric(key="rmse", value=1.0, timestamp=1, model_id="m-none")
    with pytest.raises(NotFound, match="Logged model with ID 'm-none' not found"):
        tracking.runs.log(run_id, Batch(metrics=(metric,)))
    assert tracking.runs.get(run_id).metrics == ()


def found(
    tracking: Tracking,
    filter: str = "",
    order: Sequence[FieldOrder] = (),
    on: Sequence[Measured] = (),
    *,
    limit: int = 100,
    experiments: Sequence[str] = ("0",),
) -> list[str]:
    search = read_model_search(filter, order, on)
    models, token = tracking.models.search(experiments, search, Page(limit=limit))
    names = [model.name for model in models]
    while token is not None:
        models, token = tracking.models.search(experiments, search, Page(limit=limit, token=token))
        names += [model.name for model in models]
    return names


@pytest.fixture
def several(tracking: Tracking) -> Tracking:
    """`ash`, `birch` and `cedar`, of which the first two were measured."""
    run_id = begun(tracking)
    ash = tracking.models.create(
        "0",
        name="ash",
        model_type="tree",
        source_run_id=run_id,
        params=(("depth", "10"),),
        tags=(("a", "1"),),
    )
    time.sleep(0.002)
    birch = tracking.models.create("0", name="birch", params=(("depth", "9"),), tags=(("a", "2"),))
    time.sleep(0.002)
    tracking.models.create("0", name="cedar", params=(("depth", "deep"),))
    tracking.models.finalize(birch.model_id, "READY")
    measured(tracking, run_id, ash, 0.9, step=0, on=WINE)
    measured(tracking, run_id, ash, 0.1, step=1, on=WINE)
    measured(tracking, run_id, ash, 0.5, step=2, on=BEER)
    measured(tracking, run_id, birch, 0.2, step=0, on=BEER)
    return tracking


@pytest.mark.parametrize(
    ("filter", "names"),
    [
        ("", ["cedar", "birch", "ash"]),
        ("name = 'ash'", ["ash"]),
        ("name LIKE '%r%' AND creation_timestamp > 0", ["cedar", "birch"]),
        ("attributes.model_type = 'tree'", ["ash"]),
        ("model_type != 'tree'", []),
        ("source_run_id IS NULL", ["cedar", "birch"]),
        ("status = 'READY'", ["birch"]),
        ("status IN ('READY', 'PENDING')", ["cedar", "birch", "ash"]),
        ("metrics.rmse < 0.15", ["ash"]),
        ("metrics.rmse >= 0.2", ["birch", "ash"]),
        ("metrics.rmse IS NULL", ["cedar"]),
        ("params.depth = '9'", ["birch"]),
        ("params.depth > 9", ["ash"]),
        ("params.depth != 9", ["cedar", "ash"]),
        ("tags.a != '1'", ["birch"]),
        ("tags.a = '1' OR name = 'cedar'", ["cedar", "ash"]),
    ],
)
def test_models_are_searched(several: Tracking, filter: str, names: list[str]) -> None:
    assert found(several, filter) == names
    assert found(several, filter, limit=1) == names


@pytest.mark.parametrize(
    ("on", "filter", "names"),
    [
        ([WINE], "", ["ash"]),
        ([BEER], "", ["birch", "ash"]),
        ([WINE, BEER], "", ["birch", "ash"]),
        ([BEER], "metrics.rmse < 0.15", []),
        ([BEER], "metrics.rmse > 0.15", ["birch", "ash"]),
        ([Measured(dataset_name="wine", dataset_digest="d2")], "", []),
    ],
)
def test_metrics_count_on_the_datasets_that_are_asked_for(
    several: Tracking, on: list[Measured], filter: str, names: list[str]
) -> None:
    assert found(several, filter, on=on) == names


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ([FieldOrder(field_name="name", ascending=False)], ["cedar", "birch", "ash"]),
        ([FieldOrder(field_name="creation_time")], ["ash", "birch", "cedar"]),
        ([FieldOrder(field_name="metrics.rmse")], ["birch", "ash", "cedar"]),
        ([FieldOrder(field_name="metrics.rmse", ascending=False)], ["ash", "birch", "cedar"]),
        (
            [FieldOrder(field_name="metrics.rmse", dataset_name="wine", dataset_digest="d1")],
            ["ash", "cedar", "birch"],
        ),
        (
            [FieldOrder(field_name="model_type"), FieldOrder(field_name="name")],
            ["ash", "birch", "cedar"],
        ),
    ],
)
def test_models_are_sorted(several: Tracking, order: list[FieldOrder], names: list[str]) -> None:
    assert found(several, order=order) == names
    assert found(several, order=order, limit=1) == names


def test_models_of_other_experiments_are_not_found(several: Tracking) -> None:
    other = several.experiments.create("other").experiment_id
    several.models.create(other, name="elm")
    assert found(several, experiments=[other, "99", "x"]) == ["elm"]
    assert found(several, experiments=[]) == []
