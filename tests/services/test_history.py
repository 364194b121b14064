from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.errors import Altered, UsageError
from mlproj.model.digest import Digest
from mlproj.model.run import Run
from mlproj.ports import Condition
from mlproj.services.history import artifacts, get_artifact, metric_series, parse_condition, read_log
from mlproj.store.folder import FolderStore, open_store
from tests.store.runs import begun, ended


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


@pytest.fixture
def run(store: FolderStore) -> Run:
    run = begun(store.blobs)
    with store.begin(run):
        return store.seal(ended(store.blobs, run))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("metrics.rmse < 0.5", ("metrics.rmse", "<", "0.5")),
        ("metric.rmse<=0.5", ("metrics.rmse", "<=", "0.5")),
        ("params.`learning rate` == '0.1'", ("params.learning rate", "=", "0.1")),
        ('parameters."a" != x y', ("params.a", "!=", "x y")),
        ("status = FAILED", ("status", "=", "FAILED")),
        ("attributes.run_name ~ 'heron'", ("name", "~", "heron")),
        ("tags.mlflow.user = ada", ("tags.mlflow.user", "=", "ada")),
        ("name = 'a = b'", ("name", "=", "a = b")),
        ("name = it's", ("name", "=", "it's")),
        ("name = ", ("name", "=", "")),
    ],
)
def test_conditions_are_read(text: str, condition: tuple[str, str, str]) -> None:
    field, operator, value = condition
    assert parse_condition(text) == Condition(field=field, operator=operator, value=value)


@pytest.mark.parametrize("text", ["", "metrics.rmse", "< 1", "= =", "metrics.rmse lt 1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a condition"):
        parse_condition(text)


@given(st.text())
def test_no_text_is_too_strange_to_be_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert parse_condition(text).operator in ("=", "!=", "<", "<=", ">", ">=", "~")


def test_metrics_come_as_series(run: Run) -> None:
    assert metric_series(run) == {"rmse": ((0, 0.75), (1, 0.25)), "r2": ((0, 1.0),)}


def test_logs_come_in_the_order_in_which_they_were_written(store: FolderStore, run: Run) -> None:
    assert [(piece.stream, piece.data) for piece in read_log(store, run)] == [
        ("stdout", b"training\n"),
        ("stderr", b"warning\n"),
        ("stdout", b"loss 1\n"),
    ]
    assert b"".join(piece.data for piece in read_log(store, run, "stderr")) == b"warning\n"


def test_logs_without_times_are_whole_all_the_same(store: FolderStore, run: Run) -> None:
    assert run.outcome is not None
    outcome = replace(run.outcome, logs=run.outcome.logs[:2])
    assert [piece.data for piece in read_log(store, replace(run, outcome=outcome))] == [
        b"training\nloss 1\n",
        b"warning\n",
    ]


def test_a_log_is_followed_until_the_run_has_ended(store: FolderStore) -> None:
    run = begun(store.blobs)
    logs = store.workspace(run.run_id) / "logs"
    logs.mkdir()
    log = logs / "stdout"

    def write() -> None:
        with store.begin(run):
            started.set()
            for line in (b"training\n", b"loss 1\n"):
                with log.open("ab") as file:
                    file.write(line)
                time.sleep(0.2)
            store.seal(ended(store.blobs, run))

    started = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    started.wait()
    pieces = list(read_log(store, store.find(run.run_id), follow=True))
    writer.join()
    assert b"".join(piece.data for piece in pieces if piece.stream == "stdout") == b"training\nloss 1\n"
    assert b"".join(piece.data for piece in pieces if piece.stream == "stderr") == b"warning\n"


def test_without_following_only_what_is_there_is_read(store: FolderStore) -> None:
    run = begun(store.blobs)
    logs = store.workspace(run.run_id) / "logs"
    logs.mkdir()
    (logs / "stdout").write_bytes(b"so far")
    with store.begin(run):
        assert [piece.data for piece in read_log(store, run)] == [b"so far"]


def test_artifacts_are_listed_file_by_file(store: FolderStore, run: Run) -> None:
    assert [(item.path, item.size, item.state) for item in artifacts(store, run)] == [
        ("model.bin", 5, "written"),
        ("report/img/a.svg", 5, "written"),
        ("report/index.html", 3, "written"),
        ("plot.png", 0, "missing"),
    ]


def test_an_artifact_is_copied_out(store: FolderStore, run: Run, tmp_path: Path) -> None:
    assert get_artifact(store, run, "model.bin", tmp_path) == (tmp_path / "model.bin",)
    assert (tmp_path / "model.bin").read_bytes() == b"model"
    get_artifact(store, run, "report/index.html", tmp_path / "new.html")
    assert (tmp_path / "new.html").read_bytes() == b"<p>"
    get_artifact(store, run, "report/", tmp_path / "copy")
    assert (tmp_path / "copy" / "img" / "a.svg").read_bytes() == b"<svg>"
    get_artifact(store, run, ".", tmp_path / "all")
    assert (tmp_path / "all" / "report" / "index.html").read_bytes() == b"<p>"


def test_an_artifact_that_is_not_there_or_in_the_way_is_refused(
    store: FolderStore, run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="left no file") as unknown:
        get_artifact(store, run, "model.bni", tmp_path)
    assert unknown.value.hint == "did you mean `model.bin`?"
    with pytest.raises(UsageError, match="left no file"):
        get_artifact(store, run, "plot.png", tmp_path)
    (tmp_path / "model.bin").touch()
    with pytest.raises(UsageError, match="there already"):
        get_artifact(store, run, "model.bin", tmp_path)


def test_an_altered_artifact_is_not_handed_out(store: FolderStore, run: Run, tmp_path: Path) -> None:
    store.blobs.path(Digest.of(b"model")).write_bytes(b"other")
    with pytest.raises(Altered):
        get_artifact(store, run, "model.bin", tmp_path)
    assert not (tmp_path / "model.bin").exists()
