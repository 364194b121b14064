"""What runs name and nobody showed is noted by every kind of database alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.digest import Digest
from mlproj.model.record import seal_document
from mlproj.model.tracking import NewRun
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_served_store, open_store
from mlproj.store.tracking.opening import open_tracking
from tests.databases import KINDS, new_uri
from tests.store.runs import begun, ended

A, B = Digest.of(b"a"), Digest.of(b"b")


@pytest.fixture(params=("sqlite", *KINDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderStore]:
    if request.param == "sqlite":
        store = open_store(tmp_path / "store", create=True)
    else:
        store = open_served_store(new_uri(request.param), tmp_path / "beside", create=True)
    yield store
    store.close()


def test_it_is_noted_and_taken_back_with_that_of_the_runs_below(store: FolderStore) -> None:
    reception, run = store.reception, begun(store.blobs)
    reception.open(run, (A, B))
    tracking = open_tracking(store)
    new = NewRun(
        experiment_id=store.experiment_of(run.run_id), name="", user="", started=1, parent=run.run_id
    )
    below = tracking.runs.create(new).run_id
    tracking.close()
    assert reception.not_showing(A) == reception.not_showing(B) == {run.run_id, below}
    reception.note_unshown(run.run_id, (B,), (A,))
    reception.note_unshown(run.run_id, (B,))
    assert reception.not_showing(A) == set()
    assert reception.not_showing(B) == {run.run_id, below}


def test_it_comes_with_a_run_and_goes_with_it(store: FolderStore) -> None:
    done = ended(store.blobs, begun(store.blobs))
    store.reception.bring(done, seal_document(done), (), (A,))
    assert store.reception.not_showing(A) == {done.run_id}
    store.hide(done.run_id)
    store.housekeeper.forget([done.run_id], who="ada", why="x")
    assert store.reception.not_showing(A) == set()
