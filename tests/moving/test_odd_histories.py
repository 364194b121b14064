"""Histories that no client would write, or that are none: what can be taken is, and the rest is named."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path

import pytest

from mlproj.model.tracking import Lifecycle, NewRun
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.moving.test_moving import mlproj, move, verify

RUN = "0123456789abcdef0123456789abcdef"
START = 1_700_000_000_000


def experiment(root: Path, number: str = "0", name: str = "Default") -> Path:
    place = root / number
    place.mkdir(parents=True)
    meta = {"experiment_id": number, "name": name, "lifecycle_stage": "active", "artifact_location": "x"}
    (place / "meta.yaml").write_text(json.dumps(meta))
    return place


def run(place: Path, run_id: str = RUN, **given: object) -> Path:
    """A run that was written as MLflow writes them."""
    folder = place / run_id
    for name in ("metrics", "params", "tags", "artifacts"):
        (folder / name).mkdir(parents=True)
    meta = {"run_id": run_id, "run_name": "odd", "status": 3, "start_time": START, "end_time": START + 5}
    meta["artifact_uri"] = (folder / "artifacts").as_uri()
    (folder / "meta.yaml").write_text(json.dumps({**meta, **given}))
    return folder


def test_what_leads_out_of_a_folder_stays_there(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of somebody")
    folder = run(experiment(tmp_path / "mlruns"))
    os.symlink(tmp_path / "secret", folder / "artifacts" / "link")
    os.symlink(tmp_path, folder / "artifacts" / "folder")
    os.symlink(tmp_path / "secret", folder / "params" / "key")
    (folder / "artifacts" / "own.txt").write_text("own")
    moved = move("mlruns", tmp_path / "store", folder=tmp_path)
    assert moved["files"] == 1
    store = open_store(tmp_path / "store", create=False)
    found = store.find(RUN)
    assert found.outcome is not None
    assert [output.path for output in found.outcome.outputs] == ["artifacts/own.txt"]
    assert store.index(RUN)["params"] == {}
    store.close()
    verify(tmp_path / "store", tmp_path)


def test_a_folder_that_somebody_prepared_has_nothing_of_ours_read(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("of somebody")
    place = experiment(tmp_path / "mlruns")
    folder = run(place)
    for name in ("artifacts", "tags", "params"):
        (folder / name).rmdir()
        (folder / name).symlink_to(private)
    for number, uri in enumerate(
        (private.as_uri(), str(private), f"local://{private}", "local:///{}/artifacts")
    ):
        run_id = str(number) * 32
        odd = run(place, run_id, artifact_uri=uri.format(run_id))
        (odd / "artifacts").rmdir()
    (run(place, "a" * 32) / "meta.yaml").unlink()
    (place / ("a" * 32) / "meta.yaml").symlink_to(folder / "meta.yaml")
    letters = zip("abcdefgh", "bcdefghi", strict=True)
    lines = (f"{each}: &{each} [{', '.join([f'*{before}'] * 9)}]\n" for before, each in letters)
    bomb = f"a: &a [x, x]\n{''.join(lines)}"
    (run(place, "b" * 32) / "meta.yaml").write_text(f"{bomb}name: *i\nrun_name: *i\n")
    moved = move("mlruns", tmp_path / "store", folder=tmp_path)
    assert moved["files"] == 0 and moved["runs"]["new"] == 5
    untaken = {each["what"]: each["why"] for each in moved["untaken"]}
    assert all("is not where MLflow keeps files" in untaken[f"files of run {str(n) * 32}"] for n in range(3))
    assert "at no place that artifacts are taken from" in untaken[f"files of run {'3' * 32}"]
    assert any("a" * 32 in what and "it is a link" in what for what in untaken)
    assert any("b" * 32 in what and "by aliases" in what for what in untaken)
    store = open_store(tmp_path / "store", create=False)
    assert "of somebody" not in repr([store.index(each.run_id) for each in store.listing()])
    assert not any(
        b"of somebody" in store.blobs.path(digest).read_bytes() for digest in store.blobs.digests()
    )
    store.close()


def test_what_cannot_be_taken_is_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    place = experiment(tmp_path / "mlruns")
    folder = run(place)
    (folder / "metrics" / "loss").write_text(f"{START} 0.5 1\n{START}000000 0.25 2\n{START + 1} nan 3\n")
    run(place, "has a blank")
    (run(place, "a" * 32) / "meta.yaml").write_text(": {")
    (run(place, "b" * 32) / "metrics" / "loss").write_text("yesterday 1 2\n")
    run(place, "c" * 32, artifact_uri="mlflow-artifacts:/0/c/artifacts").joinpath("artifacts").rmdir()
    moved = move("mlruns", tmp_path / "store", folder=tmp_path)
    untaken = {each["what"]: each["why"] for each in moved["untaken"]}
    assert moved["runs"]["new"] == 2
    assert untaken.pop(f"1 points of metrics of run {RUN}").startswith("their step or time is beyond")
    assert "is no id that a store can have" in untaken.pop("run has a blank")
    assert "--artifacts-destination" in untaken.pop(f"files of run {'c' * 32}")
    assert all("a" * 32 in what or "b" * 32 in what for what in untaken)
    assert len(untaken) == 2
    store = open_store(tmp_path / "store", create=False)
    metrics = store.index(RUN)["metrics"]
    assert metrics == {"loss": ("NaN", 3, START + 1, 0.5, 0.5, 2)}
    store.close()
    verify(tmp_path / "store", tmp_path)


def test_a_run_that_nobody_ended_is_going_on_for_clients_until_it_ends_there(tmp_path: Path) -> None:
    place = experiment(tmp_path / "mlruns")
    folder = run(place, status=1, end_time=None)
    move("mlruns", tmp_path / "store", folder=tmp_path)
    assert seen(tmp_path / "store") == ("RUNNING", None)
    verify(tmp_path / "store", tmp_path)
    meta = json.loads((folder / "meta.yaml").read_text())
    (folder / "meta.yaml").write_text(json.dumps({**meta, "status": 4, "end_time": START + 9}))
    assert move("mlruns", tmp_path / "store", folder=tmp_path)["runs"]["changed"] == 1
    assert seen(tmp_path / "store") == ("FAILED", START + 9)
    verify(tmp_path / "store", tmp_path)


def seen(path: Path) -> tuple[str, int | None]:
    """Status and end of the run, as clients are told them."""
    store = open_store(path, create=False)
    tracking = open_tracking(store)
    found = tracking.runs.get(RUN)
    tracking.close()
    store.close()
    return found.status.value, found.ended


def test_one_experiment_alone_comes_when_it_is_named(tmp_path: Path) -> None:
    run(experiment(tmp_path / "mlruns"))
    run(experiment(tmp_path / "mlruns", "7", "wines"), "d" * 32)
    moved = move("mlruns", tmp_path / "store", "--experiment", "wines", folder=tmp_path)
    assert moved["experiment_ids"] == {"7": "1"}
    assert moved["runs"]["new"] == 1
    done = mlproj("import-mlflow", "mlruns", "--experiment", "beers", folder=tmp_path)
    assert done.returncode == 2
    assert "there is no experiment `beers`" in done.stderr


def make_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE customers (id INTEGER)")
    database.close()


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("nowhere", 2, "there is no folder"),
        ("sqlite:///nowhere.db", 2, "there is no file"),
        ("sqlite:///other.db", 5, "has no table `experiments`"),
        ("empty", 5, "there is no experiment in it"),
        ("ftp://example.invalid/x", 2, "no place that MLflow keeps a history in"),
        ("http://127.0.0.1:1", 5, "cannot be reached"),
        ("mssql+pyodbc://ada:hunter2@127.0.0.1:1/x", 2, "can be read here"),
        ("store/store.db", 5, "a store of mlproj"),
    ],
)
def test_what_is_no_history_is_told_in_a_sentence(source: str, code: int, words: str, tmp_path: Path) -> None:
    make_database(tmp_path / "other.db")
    (tmp_path / "empty").mkdir()
    open_store(tmp_path / "store", create=True).close()
    done = mlproj("import-mlflow", source, "--store", tmp_path / "taken", folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "taken").exists()


def test_an_experiment_with_runs_of_its_own_here_is_not_deleted_as_it_is_there(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    run(experiment(root))
    for number, name in (("7", "wines"), ("8", "beers")):
        place = experiment(root, number, name)
        meta = json.loads((place / "meta.yaml").read_text())
        late = {"lifecycle_stage": "deleted", "last_update_time": 4_000_000_000_000}
        (place / "meta.yaml").write_text(json.dumps({**meta, **late}))
        run(place, number * 32)
    store = open_store(tmp_path / "store", create=True)
    with contextlib.closing(open_tracking(store)) as tracking:
        mine = tracking.experiments.create("wines").experiment_id
        new = NewRun(experiment_id=mine, name="mine", user="ada", started=START)
        own = tracking.runs.create(new).run_id
        moved = move("mlruns", tmp_path / "store", folder=tmp_path)
        assert [each["what"] for each in moved["untaken"]] == ["the deletion of experiment wines"]
        assert tracking.runs.get(own).lifecycle is Lifecycle.ACTIVE
        assert tracking.experiments.named("wines").lifecycle is Lifecycle.ACTIVE
        assert tracking.experiments.named("beers").lifecycle is Lifecycle.DELETED
        assert tracking.runs.get("8" * 32).lifecycle is Lifecycle.DELETED
    store.close()


def test_a_run_that_is_here_already_and_is_our_own_is_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    with contextlib.closing(open_tracking(store)) as tracking:
        new = NewRun(experiment_id="0", name="mine", user="ada", started=START)
        own = tracking.runs.create(new).run_id
        folder = run(experiment(tmp_path / "mlruns"), own)
        (folder / "artifacts" / "theirs.txt").write_text("theirs")
        (folder / "tags" / "key").write_text("theirs")
        moved = move("mlruns", tmp_path / "store", folder=tmp_path)
        assert moved["runs"]["same"] == 1
        assert [each["what"] for each in moved["untaken"]] == [f"run {own}"]
        assert (moved["files"], "key" in dict(tracking.runs.get(own).tags)) == (0, False)
    store.close()


def test_a_far_store_is_moved_into_where_it_is(tmp_path: Path) -> None:
    run(experiment(tmp_path / "mlruns"))
    done = mlproj("import-mlflow", "mlruns", "--store", "HTTP://127.0.0.1:1", folder=tmp_path)
    assert (done.returncode, "on the machine where the store is" in done.stderr) == (2, True)
