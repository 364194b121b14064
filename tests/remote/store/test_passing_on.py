"""Runs that are passed on to an experiment of their own there, and by way of it to another store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.model.events import Note
from mlproj.services.passing_on import pass_on
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.store_ports import Condition, RunQuery
from tests.remote.store.serving import far, serving
from tests.store.runs import begun, ended


@pytest.fixture
def own(tmp_path: Path) -> Iterator[FolderStore]:
    store = open_store(tmp_path / "own", create=True)
    run = begun(store.blobs, name="local")
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    yield store
    store.close()


def under(store: FolderStore, name: str) -> list[str]:
    query = RunQuery(conditions=(Condition(field="experiment", operator="=", value=name),))
    return [run.name for run in store.search(query)]


def test_they_are_under_the_experiment_that_is_named_and_stay_there(own: FolderStore, tmp_path: Path) -> None:
    with serving(tmp_path / "server") as (uri, there):
        (passed,) = pass_on(["local"], own, far(uri, tmp_path / "cache"), experiment="team")
        assert passed.new and under(there, "team") == ["local"] and under(there, "Default") == []
        assert there.find("local").record == own.find("local").record
        notes: list[str] = []
        (again,) = pass_on(
            ["local"],
            own,
            far(uri, tmp_path / "cache"),
            lambda event: notes.append(event.message) if isinstance(event, Note) else None,
            experiment="another",
        )
        assert not again.new and notes == ["run `local` is there already and stays under `team`"]
        tracking = open_tracking(there)
        tracking.experiments.rename(tracking.experiments.named("team").experiment_id, "crew")
        tracking.close()
        assert verify(there).problems == ()

        back = pass_on(["local"], far(uri, tmp_path / "cache"), own)
        assert not back[0].new and under(own, "Default") == ["local"]
        third = open_store(tmp_path / "third", create=True)
        pass_on(["local"], far(uri, tmp_path / "cache"), third)
        assert under(third, "team") == ["local"] and verify(third).problems == ()
        third.close()


def test_nobody_moves_a_run_by_an_amendment_that_is_there(own: FolderStore) -> None:
    with pytest.raises(StoreError, match="stays under its experiment"):
        own.amend(own.find("local").run_id, "under", {"experiment": "team"})
    assert verify(own).problems == ()
