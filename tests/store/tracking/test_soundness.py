"""A store is sound whatever was logged, by whom and until when; and what is not is named."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import AlreadyThere, NotFound, StoreError, UsageError
from mlproj.model.record import EntryKind
from mlproj.model.run import Run, Status
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    Lifecycle,
    Metric,
    ModelOutput,
    RunStatus,
)
from mlproj.services.verify import verify
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.store.runs import begun, ended
from tests.store.tracking.desk import START, Desk, log_everything, point


def test_threads_log_while_the_run_is_sealed_and_after(desk: Desk) -> None:
    run, sealed = begun(desk.store.blobs), threading.Event()

    def log(worker: int) -> int:
        left, step = 5, 0
        while left:
            left -= sealed.is_set()
            desk.tracking.runs.log(run.run_id, Batch(metrics=(point(f"loss {worker}", step, step),)))
            step += 1
        return step

    with desk.store.begin(run), ThreadPoolExecutor(4) as threads:
        working = [threads.submit(log, worker) for worker in range(4)]
        while len(desk.tracking.runs.summaries(run.run_id)) < 4:
            time.sleep(0.001)
        desk.store.seal(ended(desk.store.blobs, run))
        sealed.set()
        logged = {f"loss {worker}": work.result() for worker, work in enumerate(working)}
    summaries = {item.latest.key: item.count for item in desk.tracking.runs.summaries(run.run_id)}
    assert summaries == {"r2": 1, "rmse": 2, **logged}
    assert {entry.kind for entry in desk.store.entries()} == {EntryKind.RUN, EntryKind.AMENDMENT}
    assert verify(desk.store).sound


@pytest.mark.parametrize("points", [1, 50, 300])
def test_a_runner_that_is_killed_while_it_logs_leaves_a_sound_store(desk: Desk, points: int) -> None:
    command = (sys.executable, "-m", "tests.store.tracking.logger", str(desk.root))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().split() for _ in range(points)]
        process.kill()
    run_id, child, step = answered[-1]
    found = desk.store.find(run_id)
    assert (found.status, desk.store.find(child).status) == (Status.KILLED, Status.KILLED)
    for logged in (run_id, child):
        history, _ = desk.tracking.runs.history(logged, "loss")
        assert [item.step for item in history][: int(step) + 1] == list(range(int(step) + 1)), (
            "what was answered"
        )
        assert len(history) == desk.logged(logged).metrics[0].count
    assert verify(desk.store).sound


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_store_that_cannot_be_written_to_is_read(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.store.seal(ended(desk.store.blobs, run))
    desk.close()
    # Another user's, as it looks to us: whoever is root may write everywhere.
    stranger = os.geteuid() + 1
    for path in (desk.root, *desk.root.rglob("*")):
        os.chown(path, stranger, -1)
    desk.store = open_store(desk.root, create=False)
    desk.tracking = open_tracking(desk.store)
    assert not desk.store.writable
    assert desk.tracking.runs.get(run.run_id).params[1] == ("depth", "3")
    assert len(desk.tracking.runs.history(run.run_id, "loss")[0]) == 2
    with pytest.raises(StoreError, match="cannot be written to"):
        desk.tracking.runs.log(run.run_id, Batch(metrics=(point("loss", 2),)))


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("UPDATE metric_points SET value = 7 WHERE key = 'loss' AND step = 1", "index.history"),
        ("DELETE FROM metric_points WHERE key = 'loss' AND step = 0", "index.history"),
        ("UPDATE metric_points SET nan = 0 WHERE nan = 1", "index.history"),
        ("UPDATE latest_metrics SET maximum = 7 WHERE key = 'loss'", "index.metrics"),
        ("UPDATE latest_metrics SET count = 7 WHERE key = 'late'", "index.metrics"),
        ("UPDATE datasets SET schema = '{}'", "index.datasets"),
        ("UPDATE dataset_inputs SET tags = '{}'", "index.datasets"),
        ("DELETE FROM run_models WHERE direction = 'input'", "index.models"),
        ("UPDATE run_models SET step = 5", "index.models"),
        ("UPDATE runs SET logged_status = 'FAILED'", "index.logged_status"),
        ("UPDATE runs SET ended_ms = 5", "index.ended_ms"),
        ("UPDATE runs SET started_ms = 5", "index.started_ms"),
        ("UPDATE params SET value = '4' WHERE key = 'depth'", "index.params"),
        ("DELETE FROM tags WHERE key = 'team'", "index.tags"),
        ("UPDATE experiments SET name = 'other' WHERE id = 0", "index.experiment"),
    ],
)
@pytest.mark.parametrize("amended", [False, True])
def test_altered_rows_are_named(desk: Desk, statement: str, part: str, amended: bool) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.tracking.runs.log(run.run_id, Batch(metrics=(point("late", 1),)))
        desk.store.seal(ended(desk.store.blobs, run))
    if amended:
        desk.tracking.runs.log(run.run_id, Batch(metrics=(point("late", 2, 2),), tags=(("b", "c"),)))
        desk.tracking.runs.update(run.run_id, status=RunStatus.KILLED)
    assert verify(desk.store).sound
    desk.execute(statement)
    assert {problem.part for problem in verify(desk.store).problems} == {part}


def test_an_altered_history_is_named(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.store.seal(ended(desk.store.blobs, run))
    history = desk.logged(run.run_id).history
    assert history is not None
    desk.store.blobs.path(history).write_bytes(b"[]\n")
    assert {problem.part for problem in verify(desk.store).problems} == {"logged.history"}


def test_a_forgotten_run_leaves_nothing_that_was_logged(desk: Desk) -> None:
    run, kept = begun(desk.store.blobs), begun(desk.store.blobs)
    for each in (run, kept):
        with desk.store.begin(each):
            log_everything(desk, each.run_id)
            desk.store.seal(ended(desk.store.blobs, each))
    desk.tracking.runs.log(run.run_id, Batch(metrics=(point("late", 1),)))
    desk.tracking.runs.log_inputs(
        run.run_id, (DatasetInput(dataset=Dataset(name="own", digest="1", source_type="", source="")),)
    )
    desk.tracking.runs.set_lifecycle(run.run_id, Lifecycle.DELETED)
    desk.store.housekeeper.forget((run.run_id,), who="ada", why="no longer wanted")
    with contextlib.closing(sqlite3.connect(desk.root / "store.db")) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("metric_points", "latest_metrics", "datasets", "dataset_inputs", "run_models")
        }
    assert counts == {
        "metric_points": 4 + 3,
        "latest_metrics": 4,
        "datasets": 1,
        "dataset_inputs": 1,
        "run_models": 2,
    }
    assert verify(desk.store).sound


# Anything, in any order

keys = st.sampled_from(("a", "b", "é"))


values = st.sampled_from((0.0, 1.5, -1.0, math.nan, math.inf))


steps = st.integers(min_value=0, max_value=2)


metric = st.builds(lambda key, value, step: ("metric", point(key, value, step)), keys, values, steps)


operations = st.one_of(
    metric,
    metric,
    st.tuples(st.just("param"), keys),
    st.tuples(st.just("tag"), keys, st.sampled_from(("x", "y"))),
    st.tuples(st.just("untag"), keys),
    st.tuples(st.just("status"), st.sampled_from(RunStatus), st.none() | steps),
    st.tuples(st.just("rename"), st.sampled_from(("one", "two"))),
    st.tuples(st.just("dataset"), keys),
    st.tuples(st.just("model"), keys),
    st.tuples(st.just("experiment"), st.sampled_from(("Default", "x", "y"))),
    st.tuples(st.just("move")),
    st.tuples(st.just("child")),
    st.tuples(st.just("seal")),
)


def perform(desk: Desk, run: Run, targets: list[str], operation: tuple[object, ...]) -> None:
    """Does one thing to the newest of the runs; what is refused is refused with a sentence."""
    runs, run_id = desk.tracking.runs, targets[-1]
    match operation:
        case "metric", Metric() as logged:
            runs.log(run_id, Batch(metrics=(logged,)))
        case "param", str(key):
            runs.log(run_id, Batch(params=((key, "1"),)))
        case "tag", str(key), str(value):
            runs.log(run_id, Batch(tags=((key, value),)))
        case "untag", str(key):
            runs.delete_tag(run_id, key)
        case "status", RunStatus() as status, ended_at:
            runs.update(run_id, status=status, ended=None if ended_at is None else START + int(str(ended_at)))
        case "rename", str(name):
            runs.update(run_id, name=name)
        case "dataset", str(key):
            read = Dataset(name=key, digest="1", source_type="s", source="{}", profile=key)
            runs.log_inputs(run_id, (DatasetInput(dataset=read),))
        case "model", str(key):
            runs.log_outputs(run_id, (ModelOutput(model_id=key),))
        case "experiment", str(name):
            desk.tracking.experiments.rename("0", name)
        case ("move",):
            runs.move(run_id, desk.tracking.experiments.named("other").experiment_id)
        case ("child",):
            targets.append(desk.child(run))
        case ("seal",):
            if desk.store.find(run.run_id).record is None:
                desk.store.seal(ended(desk.store.blobs, run))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps_taken=st.lists(operations, max_size=25), killed=st.booleans())
def test_a_store_is_sound_whatever_was_logged_and_when(
    tmp_path_factory: pytest.TempPathFactory, steps_taken: list[tuple[object, ...]], killed: bool
) -> None:
    desk = Desk(tmp_path_factory.mktemp("store") / ".mlproj")
    desk.tracking.experiments.create("other")
    run = begun(desk.store.blobs)
    targets = [run.run_id]
    with contextlib.suppress(RuntimeError), desk.store.begin(run):
        for operation in steps_taken:
            # There is no such tag, the run has ended, or the name is taken: each is a sentence.
            with contextlib.suppress(NotFound, UsageError, AlreadyThere):
                perform(desk, run, targets, operation)
        if killed:
            raise RuntimeError
        perform(desk, run, targets, ("seal",))
    assert verify(desk.store).problems == ()
    assert desk.store.find(run.run_id).record is not None
    logged = [desk.tracking.runs.get(run_id) for run_id in targets]
    desk.reopen()
    assert verify(desk.store).problems == ()
    assert [desk.tracking.runs.get(run_id) for run_id in targets] == logged
    desk.close()
