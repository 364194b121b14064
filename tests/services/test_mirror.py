"""Runs at a configured server, on parts that stand in for the world: which server, what it shows, what comes
back, and what is completed later."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping

import pytest
from msgspec.structs import replace

from mlproj.errors import Interrupted, StoreError, UsageError
from mlproj.model.digest import Digest
from mlproj.model.events import Note
from mlproj.model.logged import LoggedMetric
from mlproj.model.run import Output, Run, Status
from mlproj.model.tracking import (
    Dataset,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    ModelOutput,
    NewRun,
    RunStatus,
    ServedFile,
    TrackedRun,
)
from mlproj.ports import Task
from mlproj.services.artifacts import get_artifact
from mlproj.services.configured import configured_server, outer_run
from mlproj.services.mirror import Ending, show_metrics
from mlproj.services.request import RunRequest
from mlproj.services.run import run as carry_out
from mlproj.services.sync import Offices, is_complete, sync
from mlproj.services.verify import verify
from mlproj.testing import FakeServer, Recorder
from tests.services.test_run import World, train, world

__all__ = ["world"]

URI = "https://ada:hunter2@tracking.example/ml"
SHOWN = "https://tracking.example/ml"
NOTE = ServedFile(path="artifacts/note.txt", size=7, digest=Digest.of(b"a note\n"))
HUGE = ServedFile(path="models/m-1/weights", size=10**12)


def asked(world: World, environ: Mapping[str, str], **changes: str) -> RunRequest:
    request = world.request()
    return replace(request, environ={**request.environ, **environ}, **changes)


def mirrored(world: World, **changes: str) -> Run:
    return carry_out(asked(world, {}, tracking_uri=URI, **changes), world.tools, world.events)


def scripted(server: FakeServer, *, then: Callable[[], None] = lambda: None) -> Callable[[Task], None]:
    """What a script does at the server."""

    def act(task: Task) -> None:
        there = task.environ["MLFLOW_RUN_ID"]
        server.log(there, params=(("depth", "3"),), tags=(("colour", "blue"),))
        points = (Metric(key="loss", value=1 / (step + 1), step=step, timestamp=step) for step in range(3))
        server.log_points(there, *points)
        run = server.runs[there]
        data = DatasetInput(
            dataset=Dataset(name="iris", digest="12ab", source_type="local", source="{}", schema="{}")
        )
        model = ModelOutput(model_id="m-1", step=2)
        server.runs[there] = replace(run, inputs=(data,), model_outputs=(model,), status=RunStatus.FINISHED)
        server.held = (NOTE, HUGE)
        then()

    return act


def only(server: FakeServer) -> TrackedRun:
    (run,) = server.runs.values()
    return run


def offices(world: World) -> Offices:
    return Offices(server=lambda uri: world.server, tracking=world.tools.tracking)


def test_the_server_shows_the_run_as_one_of_mlflows(world: World) -> None:
    world.executor.act = train(world.project)
    run = mirrored(world, experiment="trees", run_name="first")
    there = only(world.server)
    assert (there.name, there.user, there.status) == ("first", "ada", RunStatus.FINISHED)
    assert there.ended is not None
    assert world.server.experiments[there.experiment_id] == "trees"
    assert dict(there.params) == {"alpha": "0.5", "word": "plain"}
    assert dict(there.tags) == {
        "mlflow.user": "ada",
        "mlflow.source.name": "project",
        "mlflow.source.type": "PROJECT",
        "mlflow.project.entryPoint": "main",
        "mlflow.project.env": "virtualenv",
        "mlflow.project.backend": "local",
        "mlproj.run_id": run.run_id,
    }
    assert run.job is not None and run.job.server is not None
    assert (run.job.server.uri, run.job.server.run_id) == (SHOWN, there.run_id)
    assert run.job.experiment == "trees"


def test_the_script_is_led_to_the_server(world: World) -> None:
    mirrored(world)
    (task,) = world.executor.tasks
    there = only(world.server)
    assert task.environ["MLFLOW_TRACKING_URI"] == task.environ["MLPROJ_TRACKING_URI"] == URI
    assert task.environ["MLFLOW_RUN_ID"] == task.environ["MLPROJ_TRACKING_RUN_ID"] == there.run_id
    assert task.environ["MLFLOW_EXPERIMENT_ID"] == "0"
    assert task.environ["MLPROJ_RUN_ID"] == world.only().run_id != there.run_id
    assert task.secrets == ("ada:hunter2",)
    assert "NO_PROXY" not in task.environ
    assert world.endpoint.closed is False


def test_what_the_script_logged_there_is_sealed_here(world: World) -> None:
    world.executor.act = scripted(world.server)
    run = mirrored(world)
    assert run == world.only() and run.outcome is not None and run.outcome.server_read is True
    logged = run.outcome.logged
    assert logged is not None
    assert logged.params == (("depth", "3"),)
    assert logged.tags == (("colour", "blue"),)
    assert logged.metrics == (
        LoggedMetric(key="loss", value=1 / 3, step=2, timestamp=2, minimum=1 / 3, maximum=1, count=3),
    )
    assert [data.name for data in logged.datasets] == ["iris"]
    assert [(use.model_id, use.direction, use.step) for use in logged.models] == [("m-1", "output", 2)]
    assert logged.script_status == "FINISHED"
    assert [output for output in run.outcome.outputs if output.state == "served"] == [
        Output(path=file.path, state="served", digest=file.digest, size=file.size, declared=False)
        for file in (NOTE, HUGE)
    ]
    assert "hunter2" not in str(run)
    assert verify(world.store).sound
    assert is_complete(run)


def test_a_file_that_the_server_holds_is_not_looked_for_in_the_store(world: World) -> None:
    world.executor.act = scripted(world.server)
    run = mirrored(world)
    for path in (NOTE.path, "artifacts", "models", "."):
        with pytest.raises(UsageError, match=f"the server `{SHOWN}` holds it") as caught:
            get_artifact(world.store, run, path, world.folder / "copy")
        assert caught.value.hint is not None and "there-0" in caught.value.hint
    with pytest.raises(UsageError, match="left no file"):
        get_artifact(world.store, run, "art", world.folder / "copy")


@pytest.mark.parametrize(
    ("exit_code", "interrupted", "status"),
    [(0, None, RunStatus.FINISHED), (3, None, RunStatus.FAILED), (-15, signal.SIGTERM, RunStatus.KILLED)],
)
def test_the_server_is_told_how_the_run_ended(
    world: World, exit_code: int, interrupted: int | None, status: RunStatus
) -> None:
    world.executor.exit_code, world.executor.interrupted = exit_code, interrupted
    world.executor.act = scripted(world.server)
    run = mirrored(world)
    assert only(world.server).status is status
    assert run.outcome is not None and run.outcome.status.value == status.value
    assert run.outcome.logged is not None and run.outcome.logged.params == (("depth", "3"),)


def test_a_run_that_cannot_be_built_is_failed_there_too(world: World) -> None:
    world.environment.failure = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        mirrored(world)
    assert only(world.server).status is RunStatus.FAILED
    assert world.only().status is Status.FAILED


def test_a_run_that_cannot_begin_here_is_failed_there(world: World) -> None:
    mirrored(world)
    with pytest.raises(StoreError, match="already"):
        mirrored(world)  # by the same id
    assert [run.status for run in world.server.runs.values()] == [RunStatus.FINISHED, RunStatus.FAILED]


def test_a_server_that_is_away_at_the_start_stops_everything(world: World) -> None:
    world.server.failure = StoreError("away")
    with pytest.raises(StoreError, match="away"):
        mirrored(world)
    assert world.environment.built == 0
    assert not (world.folder / "store").exists()


def test_a_server_that_is_away_at_the_end_is_read_later(world: World) -> None:
    def leave() -> None:
        world.server.failure = StoreError("gone")

    world.executor.act = scripted(world.server, then=leave)
    run = mirrored(world)
    assert run.status is Status.FINISHED and run.outcome is not None
    assert run.outcome.server_read is False and run.outcome.logged is None
    assert [note for note in run.outcome.notes if "gone" in note and "mlproj runs sync" in note]
    assert not is_complete(run)

    (still,) = sync(world.store, (), offices(world), world.events)
    assert still.failure is not None and still.added == 0

    world.server.failure = None
    (synced,) = sync(world.store, (), offices(world), world.events)
    assert synced.failure is None and is_complete(synced.run)
    kinds = [amendment.kind for amendment in synced.run.amendments]
    assert sorted(kinds) == sorted(
        ["param", "tag", "metrics", "dataset", "model", "output", "output", "synced"]
    )
    index = world.store.index(run.run_id)
    assert index["metrics"] == {"loss": (1 / 3, 2, 2, 1 / 3, 1.0, 3)}
    written = {(path, "missing", None, 0) for path in ("model.txt", "metrics.json")}
    served = {(file.path, "served", file.digest, file.size) for file in (NOTE, HUGE)}
    assert index["outputs"] == written | served
    assert only(world.server).status is RunStatus.FINISHED and only(world.server).ended is not None
    assert verify(world.store).sound

    assert sync(world.store, (), offices(world), world.events) == ()
    (again,) = sync(world.store, (run.name,), offices(world), world.events)
    assert again.added == 0 and again.failure is None


def sweeping(world: World, *, then: Callable[[], None] = lambda: None) -> Callable[[Task], None]:
    """A script that begins two runs at the server beside its own, and leaves the second open."""

    def act(task: Task) -> None:
        train(world.project)(task)
        server, own = world.server, task.environ["MLFLOW_RUN_ID"]
        context = tuple(json.loads(task.environ["MLFLOW_RUN_CONTEXT"]).items())
        parent = (("mlflow.parentRunId", own),)
        for name, tags in (("nested", (*context, *parent)), ("open", context)):
            begun = server.create_run(
                NewRun(experiment_id="0", name=name, user="ada", started=1_700_000_000_000, tags=tags)
            )
            server.log(begun.run_id, params=(("alpha", name),))
            server.log_points(begun.run_id, Metric(key="loss", value=0.5, timestamp=7))
            if name == "nested":
                server.update(begun.run_id, status=RunStatus.FAILED, ended=1_700_000_001_000)
        then()

    return act


def test_runs_that_a_script_began_there_are_children_here(world: World) -> None:
    world.executor.act = sweeping(world)
    run = mirrored(world)
    nested, left = world.store.children(run.run_id)
    assert [child.name for child in (nested, left)] == ["nested", "open"]
    for child in (nested, left):
        assert child.plan == run.plan and child.job is not None and child.outcome is not None
        assert child.job.parent == run.run_id and child.job.parameters == ()
        assert child.outcome.server_read is True and child.outcome.logged is not None
        assert child.outcome.logged.params == (("alpha", child.name),)
        assert child.outcome.logged.tags == ()
        assert child.outcome.latest == {"loss": 0.5}
    assert nested.outcome is not None and left.outcome is not None
    assert (nested.outcome.status, nested.outcome.usage.wall_s) == (Status.FAILED, 1.0)
    assert left.outcome.status is Status.FINISHED and "left it open" in str(left.outcome.reason)
    assert {each.status for each in world.server.runs.values()} == {RunStatus.FINISHED, RunStatus.FAILED}
    assert verify(world.store).sound
    (again,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert again.added == 0 and len(world.store.children(run.run_id)) == 2


def test_a_child_that_was_hidden_here_does_not_come_back(world: World) -> None:
    world.executor.act = sweeping(world)
    run = mirrored(world)
    nested, left = world.store.children(run.run_id)
    world.store.hide(nested.run_id)
    (again,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert again.added == 0 and world.store.children(run.run_id) == (left,)


def test_children_are_read_later_where_their_server_is_away(world: World) -> None:
    def leave() -> None:
        world.server.failure = StoreError("gone")

    world.executor.act = sweeping(world, then=leave)
    run = mirrored(world)
    assert world.store.children(run.run_id) == ()
    world.server.failure = None
    (synced,) = sync(world.store, (), offices(world), world.events)
    assert synced.failure is None and synced.added == 3
    assert [child.name for child in world.store.children(run.run_id)] == ["nested", "open"]
    assert dict(world.server.runs[run_there(run)].params) == {"alpha": "0.5", "word": "plain"}
    assert [metric.key for metric in world.server.runs[run_there(run)].metrics] == ["rmse"]
    assert verify(world.store).sound
    assert sync(world.store, (), offices(world), world.events) == ()


def test_a_child_that_could_not_be_read_whole_is_completed_with_its_parent(world: World) -> None:
    class Tired(FakeServer):
        def history(self, run_id: str, key: str) -> Iterator[Metric]:
            if key == "loss":
                raise StoreError("tired")
            return super().history(run_id, key)

    world.server = Tired()
    world.executor.act = sweeping(world)
    run = mirrored(world)
    assert not is_complete(run)
    children = world.store.children(run.run_id)
    assert [child.outcome and child.outcome.server_read for child in children] == [False, False]
    rested = FakeServer(runs=world.server.runs, points=world.server.points)
    place = Offices(server=lambda uri: rested, tracking=world.tools.tracking)
    (synced,) = sync(world.store, (), place, world.events)
    assert synced.failure is None and all(map(is_complete, world.store.children(run.run_id)))
    index = world.store.index(children[0].run_id)
    assert index["metrics"] == {"loss": (0.5, 0, 7, 0.5, 0.5, 1)}
    assert verify(world.store).sound


def run_there(run: Run) -> str:
    assert run.job is not None and run.job.server is not None
    return run.job.server.run_id


def test_metrics_from_files_are_shown_there_and_are_in_the_record_once(world: World) -> None:
    world.executor.act = train(world.project)
    run = mirrored(world)
    assert run.outcome is not None and run.outcome.metrics != ()
    there = only(world.server)
    assert [(metric.key, metric.value) for metric in there.metrics] == list(run.outcome.latest.items())
    assert run.outcome.logged is None or run.outcome.logged.metrics == ()
    summary = run.outcome.summaries["rmse"]
    assert summary.count == 1
    ending = Ending.of(run.outcome)
    refused: list[str] = []
    show_metrics(world.server, there, ending, refused.append)
    assert refused == [] and only(world.server) == there
    (again,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert again.added == 0


def test_a_metric_that_the_server_refuses_is_noted(world: World) -> None:
    world.server.refusing = ("rmse",)
    world.executor.act = train(world.project)
    run = mirrored(world)
    assert only(world.server).metrics == () and run.outcome is not None
    assert [note for note in run.outcome.notes if "`rmse` is not shown at the server" in note]
    assert run.outcome.server_read is True


def test_tags_that_a_person_gives_every_run_stay_with_those_of_the_script(world: World) -> None:
    request = asked(world, {"MLFLOW_RUN_CONTEXT": '{"team": "red"}'}, tracking_uri=URI)
    carry_out(request, world.tools, world.events)
    task = world.executor.tasks[-1]
    assert json.loads(task.environ["MLFLOW_RUN_CONTEXT"]) == {
        "team": "red",
        "mlproj.begun_in": task.environ["MLFLOW_RUN_ID"],
    }


def test_what_is_logged_there_after_the_end_can_be_brought_in(world: World) -> None:
    run = mirrored(world)
    world.server.log(only(world.server).run_id, tags=(("reviewed", "yes"),))
    (synced,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert [(item.kind, item.content) for item in synced.run.amendments] == [
        ("tag", {"key": "reviewed", "value": "yes"})
    ]


def test_a_run_renamed_here_keeps_that_name(world: World) -> None:
    run = mirrored(world, run_name="one")
    world.server.log(only(world.server).run_id, tags=(("mlflow.runName", "other"),))
    world.store.rename(run.run_id, "two")
    (synced,) = sync(world.store, (run.run_id,), offices(world), world.events)
    assert synced.run.name == "two"


def test_only_a_run_at_a_server_can_be_synced(world: World) -> None:
    run = world.run()
    assert is_complete(run)
    with pytest.raises(UsageError, match="at no server"):
        sync(world.store, (run.run_id,), offices(world), world.events)


def test_who_does_not_wait_for_what_is_read_back_ends_only_that(world: World) -> None:
    class Slow(FakeServer):
        def history(self, run_id: str, key: str) -> Iterator[Metric]:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the signal was not heard")

    world.server = Slow()
    world.executor.act = scripted(world.server)
    run = mirrored(world)
    assert run.status is Status.FINISHED and run.outcome is not None
    assert run.outcome.interrupted is None and run.outcome.server_read is False
    assert run.outcome.logged is not None and run.outcome.logged.params == (("depth", "3"),)
    assert only(world.server).status is RunStatus.FINISHED


def test_a_run_that_is_stopped_is_read_back_all_the_same(world: World) -> None:
    def stop() -> None:
        raise Interrupted(signal.SIGTERM)

    world.executor.act = scripted(world.server, then=stop)
    run = mirrored(world)
    assert run.status is Status.KILLED and run.outcome is not None and run.outcome.server_read
    assert only(world.server).status is RunStatus.KILLED


def test_a_parameter_that_the_server_refuses_stops_nothing(world: World) -> None:
    world.server.refusing = ("word",)
    run = mirrored(world)
    assert run.status is Status.FINISHED
    assert dict(only(world.server).params) == {"alpha": "0.5"}
    assert [event for event in world.events.events if isinstance(event, Note) and "`word`" in event.message]


def test_an_experiment_that_was_deleted_there_is_refused(world: World) -> None:
    class Deleted(FakeServer):
        def experiment(self, *, name: str | None = None, experiment_id: str | None = None) -> Experiment:
            found = super().experiment(name=name, experiment_id=experiment_id)
            return replace(found, lifecycle=Lifecycle.DELETED)

    world.server = Deleted()
    with pytest.raises(StoreError, match="was deleted at the tracking server"):
        mirrored(world)


def test_a_run_that_was_begun_there_is_taken_over(world: World) -> None:
    world.server.experiments["1"] = "steps"
    begun = world.server.create_run(NewRun(experiment_id="1", name="x", user="ada", started=1))
    run = mirrored(world, run_id=begun.run_id, run_name="step")
    there = only(world.server)
    assert there.run_id == begun.run_id and there.status is RunStatus.FINISHED
    assert dict(there.tags)["mlflow.runName"] == "step"
    assert run.job is not None and run.job.experiment == "steps"


def test_a_step_is_below_the_run_that_it_is_a_step_of(world: World) -> None:
    environ = {
        "MLPROJ_RUN_ID": "a" * 32,
        "MLPROJ_TRACKING_URI": URI,
        "MLPROJ_TRACKING_RUN_ID": "there",
        "MLFLOW_TRACKING_URI": URI,
    }
    carry_out(asked(world, environ), world.tools, world.events)
    assert dict(only(world.server).tags)["mlflow.parentRunId"] == "there"
    assert outer_run(environ, "https://other.example") is None


@pytest.mark.parametrize(("given", "name"), [(False, "Default"), (True, "trees")])
def test_an_outer_runs_experiment_means_nothing_at_another_server(
    world: World, given: bool, name: str
) -> None:
    world.server.experiments["7"] = "trees"
    environ = {**OWN, "MLFLOW_TRACKING_URI": OWN["MLPROJ_TRACKING_URI"]}
    request = replace(asked(world, environ, tracking_uri=URI, experiment_id="7"), experiment_given=given)
    run = carry_out(request, world.tools, world.events)
    assert run.job is not None and run.job.experiment == name


OWN = {"MLPROJ_RUN_ID": "a" * 32, "MLPROJ_TRACKING_URI": "http://127.0.0.1:1/t/x"}


@pytest.mark.parametrize(
    ("environ", "server"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_URI": ""}, None),
        ({"MLFLOW_TRACKING_URI": "http://host:5000"}, "http://host:5000"),
        ({**OWN, "MLFLOW_TRACKING_URI": "http://127.0.0.1:1/t/x/"}, None),
        ({**OWN, "MLFLOW_TRACKING_URI": "http://host:5000"}, "http://host:5000"),
        ({**OWN, "MLPROJ_TRACKING_RUN_ID": "b", "MLFLOW_TRACKING_URI": OWN["MLPROJ_TRACKING_URI"]}, "own"),
    ],
)
def test_which_server_is_configured(world: World, environ: dict[str, str], server: str | None) -> None:
    expected = OWN["MLPROJ_TRACKING_URI"] if server == "own" else server
    assert configured_server(asked(world, environ), world.events) == expected
    assert world.events.events == []


NO_SERVERS = (
    "sqlite:///mlflow.db",
    "file:///tmp/mlruns",
    "./mlruns",
    "databricks",
    "uc:x",
    "http://",
    "http://[",
)


@pytest.mark.parametrize("uri", NO_SERVERS)
def test_what_is_no_server_is_told_of_once(world: World, uri: str) -> None:
    request = asked(world, {"MLFLOW_TRACKING_URI": uri})
    run = carry_out(request, world.tools, world.events)
    notes = [event.message for event in world.events.events if isinstance(event, Note)]
    (told,) = [note for note in notes if "MLFLOW_TRACKING_URI" in note]
    assert uri in told
    assert run.job is not None and run.job.server is None
    assert world.server.runs == {}


@pytest.mark.parametrize("uri", NO_SERVERS)
def test_what_is_no_server_cannot_be_asked_for(world: World, uri: str) -> None:
    with pytest.raises(UsageError, match="takes the address of a server") as caught:
        carry_out(asked(world, {}, tracking_uri=uri), world.tools, Recorder())
    assert caught.value.hint


def test_a_database_with_a_password_is_not_told_whole(world: World) -> None:
    uri = "postgresql://ada:hunter2@host/db"
    configured_server(asked(world, {"MLFLOW_TRACKING_URI": uri}), world.events)
    (note,) = world.events.events
    assert isinstance(note, Note) and "hunter2" not in note.message
