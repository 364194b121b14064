"""What was logged is sealed with its run, what comes later is a link of its own, and `verify` holds both."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mlproj.errors import AlreadyThere, NotFound, StoreError, UsageError
from mlproj.model.digest import Digest
from mlproj.model.logged import Logged, LoggedDataset, LoggedMetric, LoggedModelUse, read_points
from mlproj.model.record import EntryKind
from mlproj.model.run import Run, ShownParameter, Status
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    Lifecycle,
    Metric,
    ModelOutput,
    NewRun,
    RunStatus,
)
from mlproj.services.verify import verify
from mlproj.store.closing import REASON
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.sealing import LEFT_OPEN
from mlproj.store.tracking.opening import StoredTracking, open_tracking
from tests.store.runs import begun, ended

START = 1_700_000_000_000
READ = DatasetInput(
    dataset=Dataset(
        name="wine", digest="9a8b", source_type="local", source="{}", schema='{"é": 1}', profile="{}"
    ),
    tags=(("mlflow.data.context", "training"),),
)


class Desk:
    """A store and the tracking over it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store: FolderStore = open_store(root, create=True)
        self.tracking: StoredTracking = open_tracking(self.store)

    def close(self) -> None:
        self.tracking.close()
        self.store.close()

    def reopen(self) -> None:
        """As another process would find it."""
        self.close()
        self.store = open_store(self.root, create=False)
        self.tracking = open_tracking(self.store)

    def child(self, owner: Run, name: str = "child") -> str:
        new = NewRun(experiment_id="0", name=name, user="ada", started=START, parent=owner.run_id)
        return self.tracking.runs.create(new).run_id

    def execute(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.root / "store.db")) as connection, connection:
            connection.execute(statement, values)

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.store.entries()]

    def logged(self, run_id: str) -> Logged:
        outcome = self.store.find(run_id).outcome
        assert outcome is not None
        assert outcome.logged is not None
        return outcome.logged


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / ".mlproj")
    yield opened
    opened.close()


def point(key: str, value: float, step: int = 0) -> Metric:
    return Metric(key=key, value=value, step=step, timestamp=START + step)


def log_everything(desk: Desk, run_id: str) -> None:
    """One of each thing that can be logged."""
    runs = desk.tracking.runs
    points = (point("loss", 0.5), point("loss", 0.25, 1), point("odd", math.nan), point("odd", math.inf, 1))
    runs.log(run_id, Batch(metrics=points, params=(("depth", "3"),), tags=(("team", "red"),)))
    runs.log_inputs(run_id, (READ,), ("m-1",))
    runs.log_outputs(run_id, (ModelOutput(model_id="m-2", step=4),))


def test_what_was_logged_is_in_the_record(desk: Desk) -> None:
    run = begun(desk.store.blobs, tags=(("job", "tag"), ("gone", "soon")))
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.tracking.runs.delete_tag(run.run_id, "gone")
        desk.tracking.runs.update(run.run_id, status=RunStatus.FAILED, ended=START + 9)
        done = desk.store.seal(ended(desk.store.blobs, run))
    assert done == desk.store.find(run.run_id)
    logged = desk.logged(run.run_id)
    assert logged.history is not None
    lines = desk.store.blobs.path(logged.history).read_text().splitlines()
    assert lines[0] == f'{{"key":"loss","step":0,"timestamp":{START},"value":0.5}}'
    assert lines[3] == f'{{"key":"odd","step":1,"timestamp":{START + 1},"value":"Infinity"}}'
    assert len(list(read_points(lines))) == 4
    schema, profile = (Digest.of(text.encode()) for text in ('{"é": 1}', "{}"))
    assert schema in desk.store.blobs
    assert replace(logged, history=None) == Logged(
        params=(("depth", "3"),),
        tags=(("team", "red"),),
        untagged=("gone",),
        metrics=(
            LoggedMetric(
                key="loss", value=0.25, step=1, timestamp=START + 1, minimum=0.25, maximum=0.5, count=2
            ),
            LoggedMetric(
                key="odd",
                value="Infinity",
                step=1,
                timestamp=START + 1,
                minimum="Infinity",
                maximum="Infinity",
                count=2,
            ),
        ),
        datasets=(
            LoggedDataset(
                name="wine",
                digest="9a8b",
                source_type="local",
                source="{}",
                schema=schema,
                profile=profile,
                tags=READ.tags,
            ),
        ),
        models=(
            LoggedModelUse(model_id="m-1", direction="input"),
            LoggedModelUse(model_id="m-2", direction="output", step=4),
        ),
        script_status="FAILED",
    )
    assert done.status is Status.FINISHED, "the exit code outranks what the script set"
    assert desk.tracking.runs.get(run.run_id).status is RunStatus.FINISHED
    assert verify(desk.store).sound


def test_a_run_that_logged_nothing_has_a_record_without(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        done = desk.store.seal(ended(desk.store.blobs, run))
    assert done.outcome is not None
    assert done.outcome.logged is None


def test_metrics_from_files_and_from_the_script_are_one_history(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.tracking.runs.log(
            run.run_id, Batch(metrics=(point("rmse", 9.0, 0), point("r2", 0.5, 7), point("own", 1.0)))
        )
        done = desk.store.seal(ended(desk.store.blobs, run))  # rmse 0.75 and 0.25 at steps 0 and 1, r2 1.0
    assert done.outcome is not None
    assert done.outcome.latest == {"rmse": 0.25, "r2": 0.5, "own": 1.0}
    assert {m.key: m.value for m in desk.tracking.runs.get(run.run_id).metrics} == done.outcome.latest
    history, _ = desk.tracking.runs.history(run.run_id, "rmse")
    assert [(item.step, item.value) for item in history] == [(0, 9.0), (0, 0.75), (1, 0.25)]
    (rmse,) = [item for item in desk.tracking.runs.summaries(run.run_id) if item.latest.key == "rmse"]
    assert (rmse.count, rmse.minimum, rmse.maximum) == (3, 0.25, 9.0)
    assert verify(desk.store).sound
    desk.tracking.runs.log(run.run_id, Batch(metrics=(point("rmse", 0.125, 2),)))
    assert verify(desk.store).sound


def test_runs_that_the_script_began_are_sealed_before_it(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        open_one, closed = desk.child(run, "open"), desk.child(run, "closed")
        inner = desk.tracking.runs.create(
            NewRun(experiment_id="0", name="inner", user="bob", started=START, parent=closed)
        ).run_id
        log_everything(desk, open_one)
        desk.tracking.runs.update(closed, status=RunStatus.FAILED, ended=START + 2000)
        artifacts = desk.root / "runs" / open_one / "artifacts"
        (artifacts / "plots").mkdir(parents=True)
        (artifacts / "plots" / "a.svg").write_bytes(b"<svg>")
        desk.store.seal(ended(desk.store.blobs, run))
    assert [entry.run_id for entry in desk.store.entries()] == [open_one, closed, inner, run.run_id]
    first, second, third = (desk.store.find(run_id) for run_id in (open_one, closed, inner))
    assert first.plan == second.plan == run.plan
    assert (first.status, second.status) == (Status.FINISHED, Status.FAILED)
    assert first.job is not None and third.job is not None
    assert (first.job.parent, third.job.parent) == (run.run_id, closed)
    assert (first.job.parameters, first.job.user, third.job.user) == ((), "ada", "bob")
    assert first.outcome is not None and second.outcome is not None
    assert (first.outcome.reason, second.outcome.reason) == (LEFT_OPEN, None)
    assert (second.outcome.started, second.outcome.usage.wall_s) == ("2023-11-14T22:13:20.000Z", 2.0)
    assert [(output.path, output.size) for output in first.outcome.outputs] == [("artifacts/plots/a.svg", 5)]
    assert desk.logged(open_one).params == (("depth", "3"),)
    assert verify(desk.store).sound
    assert desk.tracking.runs.get(closed).status is RunStatus.FAILED


def test_thousands_of_runs_that_a_script_began_leave_others_their_turn(desk: Desk) -> None:
    """Hundreds, here: each transaction of their sealing is of a few."""
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        children = [desk.child(run) for _ in range(120)]
        for number, child in enumerate(children):
            desk.tracking.runs.log(child, Batch(metrics=(point("loss", number),)))
        links: list[int] = []
        statements: list[str] = []
        desk.store.connection.set_trace_callback(statements.append)
        desk.store.seal(ended(desk.store.blobs, run))
        desk.store.connection.set_trace_callback(None)
    for statement in statements:
        if statement == "BEGIN IMMEDIATE":
            links.append(0)
        elif statement.startswith("INSERT INTO entries"):
            links[-1] += 1
    assert sum(links) == 121 and max(links) <= 50
    assert [entry.run_id for entry in desk.store.entries()] == [*children, run.run_id]
    assert [desk.logged(child).metrics[0].value for child in children] == [float(n) for n in range(120)]
    assert verify(desk.store).sound
    assert not list((desk.root / "runs").glob("tmp*"))


def test_a_killed_run_is_closed_with_its_metrics_and_children(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    begin = desk.store.begin(run)
    begin.__enter__()
    child, done = desk.child(run), desk.child(run, "done")
    for run_id in (run.run_id, child):
        log_everything(desk, run_id)
    desk.tracking.runs.update(done, status=RunStatus.FINISHED, ended=START + 1)
    other = open_store(desk.root, create=False)
    assert other.find(child).status is Status.RUNNING, "its owner lives"
    with contextlib.suppress(RuntimeError):
        begin.__exit__(RuntimeError, RuntimeError("killed"), None)
    found = other.find(run.run_id)
    assert found.outcome is not None
    assert (found.status, found.outcome.reason) == (Status.KILLED, REASON)
    assert [other.find(run_id).status for run_id in (child, done)] == [Status.KILLED, Status.FINISHED]
    assert [entry.run_id for entry in other.entries()] == [child, done, run.run_id]
    assert found.outcome.latest == {"loss": 0.25, "odd": "Infinity"}
    assert verify(other).sound
    desk.tracking.runs.log(child, Batch(metrics=(point("loss", 0.125, 2),)))
    assert verify(other).sound
    other.close()


def test_the_files_of_models_are_outputs_of_the_run_that_logged_them(desk: Desk) -> None:
    run, models = begun(desk.store.blobs), desk.tracking.models
    with desk.store.begin(run):
        child = desk.child(run)
        made = {owner: models.create("0", name="tree", source_run_id=owner) for owner in (run.run_id, child)}
        read = models.create("0", name="other")
        desk.tracking.runs.log_inputs(run.run_id, (), (read.model_id,))
        for number, model in enumerate((*made.values(), read)):
            folder = Path(unquote(urlsplit(model.artifact_uri).path)) / "data"
            folder.mkdir(parents=True)
            (folder / "model.pkl").write_bytes(b"model %d" % number)
        desk.store.seal(ended(desk.store.blobs, run))
    for number, (owner, model) in enumerate(made.items()):
        outcome = desk.store.find(owner).outcome
        assert outcome is not None
        (kept,) = [output for output in outcome.outputs if output.path.startswith("models/")]
        assert (kept.path, kept.digest) == (
            f"models/{model.model_id}/data/model.pkl",
            Digest.of(b"model %d" % number),
        )
    assert verify(desk.store).sound


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("metrics", {}),
        ("metrics", {"points": "x"}),
        ("status", {"ended": "x"}),
        ("param", {}),
        ("dataset", {"dataset": "{}"}),
        ("model", {}),
    ],
)
def test_an_amendment_that_nobody_could_read_is_refused(
    desk: Desk, kind: str, content: dict[str, str]
) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.store.seal(ended(desk.store.blobs, run))
    with pytest.raises(StoreError, match=run.run_id):
        desk.store.amend(run.run_id, kind, content)
    assert desk.kinds() == [EntryKind.RUN]
    assert verify(desk.store).sound


def test_amendments_count_in_what_is_searched(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.store.seal(ended(desk.store.blobs, run))
    line = f'{{"key":"loss","step":9,"timestamp":{START},"value":0.125}}'
    for kind, content in (
        ("metrics", {"points": line}),
        ("param", {"key": "late", "value": "1"}),
        ("tag", {"key": "late", "value": "yes"}),
        ("untag", {"key": "team"}),
        ("status", {"status": "FAILED", "ended": "77"}),
        ("something", {"of": "a person's"}),
    ):
        desk.store.amend(run.run_id, kind, content)
    found = desk.tracking.runs.get(run.run_id)
    assert {metric.key: metric.value for metric in found.metrics}["loss"] == 0.125
    assert len(desk.tracking.runs.history(run.run_id, "loss")[0]) == 3
    assert (found.status, found.ended, dict(found.params)["late"]) == (RunStatus.FAILED, 77, "1")
    assert ("late", "yes") in found.tags
    assert "team" not in dict(found.tags)
    assert verify(desk.store).sound


def test_a_run_of_a_server_is_left_to_its_client(desk: Desk) -> None:
    made = desk.tracking.runs.create(NewRun(experiment_id="0", name="free", user="ada", started=START))
    log_everything(desk, made.run_id)
    assert desk.store.find(made.run_id).status is Status.RUNNING
    assert list(desk.store.entries()) == []
    (desk.root / "runs" / made.run_id / "artifacts").mkdir(parents=True)
    (desk.root / "runs" / made.run_id / "artifacts" / "model").write_bytes(b"model")
    desk.tracking.runs.update(made.run_id, status=RunStatus.KILLED, ended=START + 500)
    found = desk.store.find(made.run_id)
    assert found.outcome is not None
    assert (found.status, found.outcome.usage.wall_s) == (Status.KILLED, 0.5)
    assert [output.path for output in found.outcome.outputs] == ["artifacts/model"]
    assert desk.logged(made.run_id).user == "ada"
    assert verify(desk.store).sound
    late = desk.tracking.runs.create(
        NewRun(experiment_id="0", name="late", user="", started=START, parent=made.run_id)
    )
    desk.tracking.runs.update(late.run_id, status=RunStatus.FINISHED)
    assert verify(desk.store).sound


def test_a_run_begun_in_one_that_was_sealed_stands_alone(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.store.seal(ended(desk.store.blobs, run))
    child = desk.child(run)
    assert desk.store.find(child).status is Status.RUNNING
    desk.tracking.runs.update(child, status=RunStatus.FINISHED, ended=START + 1)
    found = desk.store.find(child)
    assert found.job is not None
    assert (found.job.parent, found.plan) == (run.run_id, run.plan)
    assert verify(desk.store).sound


def test_a_run_whose_client_never_comes_back_can_be_hidden(desk: Desk) -> None:
    made = desk.tracking.runs.create(NewRun(experiment_id="0", name="free", user="ada", started=START))
    log_everything(desk, made.run_id)
    desk.store.hide(made.run_id)
    found = desk.store.find(made.run_id)
    assert found.outcome is not None
    assert (found.status, found.outcome.reason, found.deleted) == (Status.KILLED, LEFT_OPEN, True)
    assert verify(desk.store).sound


def test_what_the_client_of_mlflow_notes_is_no_tag_that_a_person_gave(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.tracking.runs.log(run.run_id, Batch(tags=(("mlflow.source.type", "PROJECT"),)))
        desk.store.seal(ended(desk.store.blobs, run))
    assert [row.tagged for row in desk.store.listing()] == [False]
    desk.tracking.runs.log(run.run_id, Batch(tags=(("keep", "yes"),)))
    assert [row.tagged for row in desk.store.listing()] == [True]


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


LATE: dict[str, tuple[Callable[[Desk, str], object], str, dict[str, str]]] = {
    "metrics": (
        lambda desk, run_id: desk.tracking.runs.log(
            run_id, Batch(metrics=(point("late", math.nan), point("late", 1.5), point("loss", 0.5)))
        ),
        "metrics",
        {
            "points": f'{{"key":"late","step":0,"timestamp":{START},"value":"NaN"}}\n'
            f'{{"key":"late","step":0,"timestamp":{START},"value":1.5}}\n'
        },
    ),
    "a param": (
        lambda desk, run_id: desk.tracking.runs.log(run_id, Batch(params=(("late", "1"), ("depth", "3")))),
        "param",
        {"key": "late", "value": "1"},
    ),
    "a tag": (
        lambda desk, run_id: desk.tracking.runs.log(run_id, Batch(tags=(("team", "blue"),))),
        "tag",
        {"key": "team", "value": "blue"},
    ),
    "no tag": (
        lambda desk, run_id: desk.tracking.runs.delete_tag(run_id, "team"),
        "untag",
        {"key": "team"},
    ),
    "a status": (
        lambda desk, run_id: desk.tracking.runs.update(run_id, status=RunStatus.RUNNING, ended=START + 77),
        "status",
        {"status": "RUNNING", "ended": str(START + 77)},
    ),
    "a name": (
        lambda desk, run_id: desk.tracking.runs.update(run_id, name="bold-heron"),
        "name",
        {"name": "bold-heron"},
    ),
    "a dataset": (
        lambda desk, run_id: desk.tracking.runs.log_inputs(
            run_id,
            (READ, DatasetInput(dataset=Dataset(name="beer", digest="1", source_type="", source=""))),
        ),
        "dataset",
        {
            "dataset": '{"digest":"1","name":"beer","profile":null,"schema":null,"source":"",'
            '"source_type":"","tags":[]}'
        },
    ),
    "a model": (
        lambda desk, run_id: desk.tracking.runs.log_outputs(
            run_id, (ModelOutput(model_id="m-9", step=2), ModelOutput(model_id="m-2", step=4))
        ),
        "model",
        {"model_id": "m-9", "direction": "output", "step": "2"},
    ),
}


@pytest.mark.parametrize("what", LATE)
def test_what_comes_after_the_seal_is_a_link_and_verified(desk: Desk, what: str) -> None:
    write, kind, content = LATE[what]
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        sealed = desk.store.seal(ended(desk.store.blobs, run))
    write(desk, run.run_id)
    (amendment,) = desk.store.find(run.run_id).amendments
    assert (amendment.kind, amendment.content) == (kind, content)
    assert desk.store.find(run.run_id).outcome == sealed.outcome
    assert verify(desk.store).sound
    desk.reopen()
    assert verify(desk.store).sound
    if what not in ("no tag", "a name"):
        write(desk, run.run_id)
        assert len(desk.kinds()) == 2, "what is there already is not written again"


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


@pytest.mark.parametrize(
    ("kind", "had", "same", "others"),
    [
        ("float", 0.5, ["0.5", "0.50", "5e-1"], ["0.6", "half", ""]),
        ("int", 3, ["3", "3.0"], ["4", "three"]),
        ("bool", True, ["true", "True", "1"], ["false", "maybe"]),
        ("string", "0.5", ["0.5"], ["0.50"]),
        (
            "path",
            "../data/x.csv",
            ["../data/x.csv", "/home/ada/data/x.csv"],
            ["/home/ada/x.csv", "data/x.csv"],
        ),
        ("uri", "s3://bucket/x.csv", ["/tmp/downloads/param_0/x.csv"], ["/tmp/y.csv"]),
        ("path", "/home/ada/x.csv", ["/home/ada/x.csv"], ["/home/bob/x.csv"]),
        ("string", "***", ["a secret", "another"], []),
    ],
)
def test_a_planned_param_may_be_logged_in_another_spelling(
    desk: Desk, kind: str, had: str | float | bool, same: list[str], others: list[str]
) -> None:
    run = begun(desk.store.blobs)
    assert run.job is not None
    planned = ShownParameter(name="x", value=had, type=kind, origin="given")
    run = replace(run, job=replace(run.job, parameters=(planned,)))
    with desk.store.begin(run):
        before = desk.tracking.runs.get(run.run_id).params
        for value in same:
            desk.tracking.runs.log(run.run_id, Batch(params=(("x", value),)))
        for value in others:
            with pytest.raises(UsageError, match="Changing param values is not allowed"):
                desk.tracking.runs.log(run.run_id, Batch(params=(("x", value),)))
        assert desk.tracking.runs.get(run.run_id).params == before
        desk.store.seal(ended(desk.store.blobs, run))
    assert verify(desk.store).sound


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
