"""A run at a server that stands in for one, and what its script does there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mlproj.model.digest import Digest
from mlproj.model.run import Run
from mlproj.model.tracking import (
    Dataset,
    DatasetInput,
    Metric,
    ModelOutput,
    NewRun,
    RunStatus,
    ServedFile,
    TrackedRun,
)
from mlproj.ports import Task
from mlproj.services.request import RunRequest
from mlproj.services.run import run as carry_out
from mlproj.services.sync import Offices
from mlproj.testing import FakeServer
from tests.services.test_run import World, train

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


def run_there(run: Run) -> str:
    assert run.job is not None and run.job.server is not None
    return run.job.server.run_id
