"""Runs, their experiments, and what becomes of the one when the other changes."""

from __future__ import annotations

import pytest

from mlproj.errors import NotFound, StoreError
from mlproj.model.tracking import (
    Lifecycle,
    NewRun,
    RunStatus,
)
from mlproj.services.verify import verify
from tests.store.runs import begun, ended
from tests.store.tracking.desk import START, Desk


def test_a_renamed_experiment_is_what_its_records_say(desk: Desk) -> None:
    experiments, runs = desk.tracking.experiments, desk.tracking.runs
    wine = experiments.create("wine").experiment_id
    first, second, third = (begun(desk.store.blobs, name=name) for name in ("first", "second", "third"))
    with desk.store.begin(first):
        runs.move(first.run_id, wine)
        desk.store.seal(ended(desk.store.blobs, first))
    assert desk.logged(first.run_id).experiment == "wine"
    with desk.store.begin(second):
        runs.move(second.run_id, wine)
        experiments.rename(wine, "beer")
        desk.store.seal(ended(desk.store.blobs, second))
    wine_again = experiments.create("wine").experiment_id
    with desk.store.begin(third):
        runs.move(third.run_id, wine_again)
        desk.store.seal(ended(desk.store.blobs, third))
    experiments.rename(wine_again, "port")
    experiments.rename(wine, "wine")
    experiments.rename("0", "nobody's")
    assert verify(desk.store).sound
    assert [runs.get(run.run_id).experiment_id for run in (first, second, third)] == [wine, wine, wine_again]
    desk.execute("UPDATE experiments SET name = 'beer' WHERE name = 'wine'")
    assert {(item.run_name, item.part) for item in verify(desk.store).problems} == {
        ("first", "index.experiment"),
        ("second", "index.experiment"),
    }


def test_beginning_a_run_makes_no_experiment(desk: Desk) -> None:
    experiments, runs = desk.tracking.experiments, desk.tracking.runs
    experiments.rename("0", "first")
    made = runs.create(NewRun(experiment_id="0", name="free", user="ada", started=START))
    assert made.experiment_id == "0"
    runs.update(made.run_id, status=RunStatus.FINISHED)
    assert runs.get(made.run_id).experiment_id == "0"
    with pytest.raises(NotFound):
        experiments.named("Default")
    assert verify(desk.store).sound


def test_no_run_begins_in_a_deleted_experiment(desk: Desk) -> None:
    desk.tracking.experiments.set_lifecycle("0", Lifecycle.DELETED)
    run = begun(desk.store.blobs)
    with (
        pytest.raises(StoreError, match="the experiment `Default` is deleted"),
        desk.store.begin(run),
    ):
        raise AssertionError("it began")
    desk.tracking.experiments.set_lifecycle("0", Lifecycle.ACTIVE)
    with desk.store.begin(run):
        desk.store.seal(ended(desk.store.blobs, run))
    assert verify(desk.store).sound


def test_runs_that_name_no_experiment_stay_in_the_one_they_had_when_it_is_renamed(desk: Desk) -> None:
    experiments, runs = desk.tracking.experiments, desk.tracking.runs
    during, after = begun(desk.store.blobs), begun(desk.store.blobs)
    with desk.store.begin(during):
        experiments.rename("0", "baseline")
        desk.store.seal(ended(desk.store.blobs, during))
    with desk.store.begin(after):
        assert runs.get(after.run_id).experiment_id == "0"
        desk.store.seal(ended(desk.store.blobs, after))
    assert [runs.get(run.run_id).experiment_id for run in (during, after)] == ["0", "0"]
    assert desk.logged(after.run_id).experiment == "baseline"
    with pytest.raises(NotFound):
        experiments.named("Default")
    assert verify(desk.store).sound
    experiments.rename("0", "later")
    assert verify(desk.store).sound
