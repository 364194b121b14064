"""What becomes of logged models and their files when runs are forgotten, and when the store moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from mlproj.errors import NotFound, UsageError
from mlproj.model.events import Event
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel, Page
from mlproj.services.cleaning import Manner, gc
from mlproj.services.verify import verify
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from tests.store.runs import begun, ended
from tests.store.tracking.desk import Desk

NOW = Manner(who="ada", now="2030-01-01T00:00:00.000Z", grace_s=0.0, dry_run=False)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "with a space" / ".mlproj")
    yield opened
    opened.close()


def silent(event: Event) -> None:
    pass


def folder(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def logged(desk: Desk, *, artifacts: tuple[str, ...] = ()) -> tuple[Run, LoggedModel]:
    """A sealed run that logged a model, and files beside it."""
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        model = desk.tracking.models.create(
            "0", name="tree", source_run_id=run.run_id, params=(("a", "b"),), tags=(("c", "d"),)
        )
        root = folder(desk.tracking.runs.get(run.run_id).artifact_uri)
        for file in (folder(model.artifact_uri) / "MLmodel", *(root / path for path in artifacts)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"content")
        desk.store.seal(ended(desk.store.blobs, run))
    return run, model


def forget(desk: Desk, *runs: Run) -> int:
    """How many files and folders went."""
    desk.store.hide(*(run.run_id for run in runs))
    removed = gc(desk.store, NOW, silent).removed
    assert removed is not None
    return removed.files


def register(desk: Desk, source: str, *, run: Run | None = None, model: LoggedModel | None = None) -> None:
    desk.tracking.registry.create("wine")
    desk.tracking.registry.create_version(
        "wine",
        source=source,
        run_id=None if run is None else run.run_id,
        model_id=None if model is None else model.model_id,
    )


def test_a_model_goes_with_the_run_that_logged_it(desk: Desk) -> None:
    run, model = logged(desk)
    _, other = logged(desk)
    rehearsed = desk.store.housekeeper.garbage(without=[run.run_id], grace_s=0)
    assert folder(model.artifact_uri).parent in rehearsed.leftovers
    forget(desk, run)
    assert not folder(model.artifact_uri).exists()
    with pytest.raises(NotFound):
        desk.tracking.models.get(model.model_id)
    assert desk.tracking.models.get(other.model_id).params == (("a", "b"),)
    assert folder(other.artifact_uri).exists()
    assert verify(desk.store).sound


def test_a_model_that_the_registry_names_outlives_its_run(desk: Desk) -> None:
    run, model = logged(desk)
    register(desk, f"models:/{model.model_id}", model=model)
    forget(desk, run)
    assert (folder(desk.tracking.models.get(model.model_id).artifact_uri) / "MLmodel").exists()
    desk.tracking.registry.delete_version("wine", 1)
    forget(desk)
    assert not folder(model.artifact_uri).exists()


def test_a_model_that_another_run_used_goes_with_the_last_of_them(desk: Desk) -> None:
    run, model = logged(desk)
    user, _ = logged(desk)
    desk.tracking.runs.log_inputs(user.run_id, (), (model.model_id,))
    forget(desk, run)
    assert folder(model.artifact_uri).exists()
    forget(desk, user)
    assert not folder(model.artifact_uri).exists()


@pytest.mark.parametrize("proxied", [False, True])
def test_of_a_run_whose_artifact_is_a_version_that_artifact_is_left(desk: Desk, proxied: bool) -> None:
    run, _ = logged(desk, artifacts=("model/MLmodel", "model/data/x", "big.bin", "other/y"))
    root = folder(desk.tracking.runs.get(run.run_id).artifact_uri)
    address = f"mlflow-artifacts:/0/{run.run_id}/artifacts" if proxied else root.as_uri()
    (root / "link").symlink_to(root.parent.parent)
    register(desk, f"{address}/model", run=run)
    forget(desk, run)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
        "model/MLmodel",
        "model/data/x",
    ]
    desk.tracking.registry.delete("wine")
    forget(desk)
    assert not root.parent.exists()
    assert verify(desk.store).sound


def test_a_version_that_is_made_while_its_run_is_forgotten_keeps_its_files(desk: Desk) -> None:
    run, model = logged(desk, artifacts=("model/MLmodel",))
    desk.store.hide(run.run_id)
    found = desk.store.housekeeper.garbage(without=[run.run_id], grace_s=0)
    source = f"{desk.tracking.runs.get(run.run_id).artifact_uri}/model"
    register(desk, source, run=run, model=model)
    desk.store.housekeeper.forget([run.run_id], who="ada", why="")
    desk.store.housekeeper.remove(found)
    assert (folder(source) / "MLmodel").exists()
    assert (folder(model.artifact_uri) / "MLmodel").exists()


def test_a_trace_goes_with_its_run_and_its_files_with_it(desk: Desk) -> None:
    run, _ = logged(desk)
    info = b'{"trace_id": "tr-1", "trace_metadata": {"mlflow.sourceRun": "%s"}}' % run.run_id.encode()
    desk.tracking.traces.add("tr-1", "0", info, b"[]")
    files = desk.root / "traces" / "tr-1" / "artifacts"
    files.mkdir(parents=True)
    assert files.parent not in desk.store.housekeeper.garbage(grace_s=0).leftovers
    forget(desk, run)
    with pytest.raises(NotFound):
        desk.tracking.traces.get("tr-1")
    forget(desk)
    assert not files.exists()


def test_addresses_are_those_of_the_place_where_the_store_is_now(desk: Desk, tmp_path: Path) -> None:
    run, model = logged(desk, artifacts=("model/MLmodel",))
    before = f"{desk.tracking.runs.get(run.run_id).artifact_uri}/model"
    register(desk, before, run=run)
    desk.tracking.registry.create_version("wine", source="s3://bucket/model")
    desk.close()
    moved = tmp_path / "else where"
    shutil.move(desk.root, moved)
    desk.root = moved
    desk.reopen()
    assert (folder(desk.tracking.models.get(model.model_id).artifact_uri) / "MLmodel").exists()
    source = desk.tracking.registry.version("wine", 1).source
    assert source == f"{desk.tracking.runs.get(run.run_id).artifact_uri}/model"
    assert (folder(source) / "MLmodel").exists()
    assert desk.tracking.registry.version("wine", 2).source == "s3://bucket/model"
    for asked, versions in ((source, [1]), (before, []), ("s3://bucket/model", [2])):
        search = read_search(Subject.MODEL_VERSIONS, f"source_path = '{asked}'", ("source_path DESC",))
        found, _ = desk.tracking.registry.search_versions(search, Page(limit=10))
        assert [version.version for version in found] == versions
    with pytest.raises(UsageError, match="no address that a client can give"):
        desk.tracking.registry.create_version("wine", source="store:/runs/x")
