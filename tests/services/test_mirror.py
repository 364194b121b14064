"""Runs at a configured server, on parts that stand in for the world: what it shows, and what comes back."""

from __future__ import annotations

import json
import signal

import pytest

from mlproj.errors import StoreError, UsageError
from mlproj.model.events import Note
from mlproj.model.logged import LoggedMetric
from mlproj.model.run import Output, Status
from mlproj.model.tracking import (
    NewRun,
    RunStatus,
)
from mlproj.services.artifacts import get_artifact
from mlproj.services.configured import outer_run
from mlproj.services.mirror import Ending, show_metrics
from mlproj.services.run import run as carry_out
from mlproj.services.sync import is_complete, sync
from mlproj.services.verify import verify
from tests.services.mirroring import (
    HUGE,
    NOTE,
    SHOWN,
    URI,
    asked,
    mirrored,
    offices,
    only,
    scripted,
)
from tests.services.test_run import World, train, world

__all__ = ["world"]


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


def test_a_parameter_that_the_server_refuses_stops_nothing(world: World) -> None:
    world.server.refusing = ("word",)
    run = mirrored(world)
    assert run.status is Status.FINISHED
    assert dict(only(world.server).params) == {"alpha": "0.5"}
    assert [event for event in world.events.events if isinstance(event, Note) and "`word`" in event.message]


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
