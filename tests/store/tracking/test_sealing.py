"""What was logged is sealed with its run."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from msgspec.structs import replace

from mlproj.errors import NotFound, UsageError
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.events import Progress
from mlproj.model.logged import Logged, LoggedDataset, LoggedMetric, LoggedModelUse, read_points
from mlproj.model.run import LEFT_OPEN, ShownParameter, Status
from mlproj.model.tracking import (
    Batch,
    Lifecycle,
    NewRun,
    RunStatus,
)
from mlproj.services.verify import verify
from mlproj.store.closing import REASON
from mlproj.store.opening import open_store
from mlproj.testing import Recorder
from tests.store.runs import begun, ended
from tests.store.tracking.desk import READ, START, Desk, log_everything, point


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


def test_a_run_has_the_name_that_its_script_gave_it(desk: Desk) -> None:
    run = begun(desk.store.blobs, name="calm-heron")
    with desk.store.begin(run):
        desk.tracking.runs.update(run.run_id, name="of the script")
        done = desk.store.seal(ended(desk.store.blobs, run))
    assert done == desk.store.find("of the script")


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
        connection = desk.store.connection
        assert isinstance(connection, sqlite3.Connection)
        connection.set_trace_callback(statements.append)
        desk.store.seal(ended(desk.store.blobs, run))
        connection.set_trace_callback(None)
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


def add_trace(desk: Desk, trace_id: str, run_id: str, spans: bytes | None = None) -> None:
    place = {"mlflow_experiment": {"experiment_id": "0"}}
    info = {"trace_id": trace_id, "trace_location": place, "trace_metadata": {"mlflow.sourceRun": run_id}}
    desk.tracking.traces.add(
        trace_id, "0", json.dumps({**info, "tags": {"a": "b"}}, indent=1).encode(), spans
    )


def test_traces_are_sealed_with_their_run(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        child = desk.child(run)
        add_trace(desk, "tr-1", run.run_id, b'[{"span_id":"x","start_time_unix_nano":1795642581126000001}]')
        add_trace(desk, "2", child)
        add_trace(desk, "3", "another")
        desk.tracking.traces.set_tag("3", "mlflow.sourceRun", run.run_id)
        desk.tracking.traces.set_tag("tr-1", "a", "é")
        folder = desk.root / "traces" / "2" / "artifacts"
        folder.mkdir(parents=True)
        (folder / "traces.json").write_bytes(b'{"spans": []}')
        desk.store.seal(ended(desk.store.blobs, run))
    traces = desk.logged(run.run_id).traces
    assert traces is not None
    first, second = map(json.loads, desk.store.blobs.path(traces).read_bytes().splitlines())
    by_id = {each["info"]["trace_id"]: each for each in (first, second)}
    assert by_id.keys() == {"tr-1", "3"} and by_id["3"]["spans"] is None
    assert by_id["tr-1"]["tags"] == {"a": "é", "mlflow.trace.spansLocation": "TRACKING_STORE"}
    assert by_id["tr-1"]["spans"] == [{"span_id": "x", "start_time_unix_nano": 1795642581126000001}]
    outcome = desk.store.find(child).outcome
    assert outcome is not None and desk.logged(child).traces is not None
    (output,) = outcome.outputs
    assert output.path == f"traces/{child}" and output.digest is not None
    manifest = read_manifest(desk.store.blobs.path(output.digest).read_bytes())
    assert manifest == ((b"2/traces.json", 0, Digest.of(b'{"spans": []}')),)
    desk.tracking.traces.set_tag("tr-1", "later", "x")
    desk.tracking.traces.delete("0", ("3",))
    assert verify(desk.store).sound
    desk.store.blobs.path(traces).write_bytes(b"{}\n")
    assert {problem.part for problem in verify(desk.store).problems} == {"logged.traces"}
    desk.tracking.runs.set_lifecycle(run.run_id, Lifecycle.DELETED)
    desk.store.housekeeper.forget((run.run_id,), who="ada", why="no longer wanted")
    with pytest.raises(NotFound):
        desk.tracking.traces.get("tr-1")
    garbage = desk.store.housekeeper.garbage(grace_s=0)
    assert traces in garbage.blobs
    desk.store.housekeeper.remove(garbage)
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


def test_sealing_tells_how_many_of_many_points_it_has_brought_in(desk: Desk) -> None:
    run, told = begun(desk.store.blobs), Recorder()
    points = 25_000
    with desk.store.begin(run):
        for first in range(0, points, 1000):
            batch = Batch(metrics=tuple(point("loss", step / 7, step) for step in range(first, first + 1000)))
            desk.tracking.runs.log(run.run_id, batch)
        desk.store.seal(ended(desk.store.blobs, run), told)
    assert told.events == [
        Progress(stage="seal", done=done, total=points, unit="points") for done in (10_000, 20_000)
    ]
