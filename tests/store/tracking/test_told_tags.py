"""Clients find a run of a project by MLflow's own tags, which its record does not hold twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.model.run import Run
from mlproj.model.tracking import Batch, NewRun, Page
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import StoredTracking, open_tracking
from tests.store.runs import begun, ended

PARENT = "f" * 32
TOLD = {
    "mlflow.parentRunId": PARENT,
    "mlflow.project.backend": "local",
    "mlflow.project.entryPoint": "train",
    "mlflow.runName": "calm-heron",
    "mlflow.source.git.commit": "c" * 40,
    "mlflow.source.name": "/somewhere/sample",
    "mlflow.source.type": "PROJECT",
    "mlflow.user": "ada",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    opened = open_store(tmp_path / ".mlproj", create=True)
    yield opened
    opened.close()


@pytest.fixture
def tracking(store: FolderStore) -> Iterator[StoredTracking]:
    opened = open_tracking(store)
    yield opened
    opened.close()


def step(store: FolderStore, entry_point: str = "train") -> Run:
    """A step of a pipeline, done and sealed."""
    run = begun(store.blobs, entry_point=entry_point)
    assert run.job is not None
    run = replace(run, job=replace(run.job, parent=PARENT))
    with store.begin(run):
        return store.seal(ended(store.blobs, run))


def found(tracking: StoredTracking, filter: str, *order_by: str) -> list[str]:
    search = read_search(Subject.RUNS, filter, order_by)
    runs, _ = tracking.runs.search(["0"], search, Page(limit=100))
    return [run.run_id for run in runs]


def test_a_run_has_them_while_it_goes_on_and_afterwards(store: FolderStore, tracking: StoredTracking) -> None:
    run = begun(store.blobs)
    alone = {key: value for key, value in TOLD.items() if key != "mlflow.parentRunId"}
    with store.begin(run):
        assert dict(tracking.runs.get(run.run_id).tags) == alone
        store.seal(ended(store.blobs, run))
    assert dict(tracking.runs.get(run.run_id).tags) == alone
    assert dict(tracking.runs.get(step(store).run_id).tags) == TOLD


def test_its_record_has_none_of_them(store: FolderStore, tracking: StoredTracking) -> None:
    run = step(store)
    assert run.job is not None and run.outcome is not None
    assert run.job.tags == ()
    assert run.outcome.logged is None
    assert store.index(run.run_id)["tags"] == {}


@pytest.mark.parametrize(("key", "value"), TOLD.items())
def test_runs_are_searched_by_them(
    store: FolderStore, tracking: StoredTracking, key: str, value: str
) -> None:
    run_id = step(store).run_id
    assert found(tracking, f"tags.`{key}` = '{value}'") == [run_id]
    assert found(tracking, f"tags.`{key}` LIKE '{value[:3]}%'") == [run_id]
    assert found(tracking, f"tags.`{key}` != '{value}'") == []
    assert found(tracking, f"tags.`{key}` = 'another'") == []


def test_one_that_is_not_there_is_null(store: FolderStore, tracking: StoredTracking) -> None:
    alone = begun(store.blobs)
    with store.begin(alone):
        store.seal(ended(store.blobs, alone))
    below = step(store).run_id
    assert found(tracking, "tags.`mlflow.parentRunId` IS NULL") == [alone.run_id]
    assert found(tracking, "tags.`mlflow.parentRunId` IS NOT NULL") == [below]
    assert found(tracking, f"tags.`mlflow.parentRunId` != '{'0' * 32}'") == [below]


def test_runs_are_sorted_by_them(store: FolderStore, tracking: StoredTracking) -> None:
    train, evaluate = step(store).run_id, step(store, "evaluate").run_id
    assert found(tracking, "", "tags.`mlflow.project.entryPoint` ASC") == [evaluate, train]
    assert found(tracking, "", "tags.`mlflow.project.entryPoint` DESC") == [train, evaluate]


def test_what_a_client_sets_counts_instead(store: FolderStore, tracking: StoredTracking) -> None:
    run_id = step(store).run_id
    tracking.runs.log(run_id, Batch(tags=(("mlflow.user", "grace"),)))
    assert dict(tracking.runs.get(run_id).tags)["mlflow.user"] == "grace"
    assert found(tracking, "tags.`mlflow.user` = 'grace'") == [run_id]
    assert found(tracking, "tags.`mlflow.user` = 'ada'") == []


def test_a_run_that_a_client_begins_says_itself_what_it_is(
    store: FolderStore, tracking: StoredTracking
) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        new = NewRun(experiment_id="0", name="child", user="ada", started=0, parent=run.run_id)
        child = tracking.runs.create(new)
        assert dict(child.tags) == {"mlflow.runName": "child"}
        store.seal(ended(store.blobs, run))
    assert dict(tracking.runs.get(child.run_id).tags) == {"mlflow.runName": "child"}
