"""Which server a person configured, and which experiment is meant there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mlproj.errors import StoreError, UsageError
from mlproj.model.events import Note
from mlproj.model.tracking import (
    Experiment,
    Lifecycle,
)
from mlproj.services.configured import configured_server
from mlproj.services.run import run as carry_out
from mlproj.testing import FakeServer, Recorder
from tests.services.mirroring import (
    URI,
    asked,
    mirrored,
)
from tests.services.test_run import World, world

__all__ = ["world"]


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


def test_an_experiment_that_was_deleted_there_is_refused(world: World) -> None:
    class Deleted(FakeServer):
        def experiment(self, *, name: str | None = None, experiment_id: str | None = None) -> Experiment:
            found = super().experiment(name=name, experiment_id=experiment_id)
            return replace(found, lifecycle=Lifecycle.DELETED)

    world.server = Deleted()
    with pytest.raises(StoreError, match="was deleted at the tracking server"):
        mirrored(world)
