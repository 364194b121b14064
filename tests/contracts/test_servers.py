"""What a run needs of a tracking server that somebody keeps: MLflow's of three lines, ours, and the fake."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import NotFound, UsageError
from mlproj.model.digest import Digest
from mlproj.model.tracking import Lifecycle, Metric, NewRun, RunStatus, TrackedRun
from mlproj.remote.server import RemoteServer
from mlproj.server.app import create_app
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.testing import FakeServer
from mlproj.tracking_ports import Server
from tests.mlflow_clients import LINES
from tests.remote.conftest import ServerOf, client_python, server_of
from tests.server.calling import Caller, calling, served

__all__ = ["client_python", "server_of"]

START = 1_700_000_000_000


@contextlib.contextmanager
def _own(folder: Path) -> Iterator[str]:
    store = open_store(folder / "store", create=True)
    tracking = open_tracking(store)
    artifacts = FolderArtifacts(store.root, store.root / "uploads")
    with served(create_app(tracking, artifacts, proxied=True, unexpected=_fail)) as uri:
        yield uri
    tracking.close()
    store.close()


def _fail(error: Exception) -> None:
    raise AssertionError("the server has a bug") from error


REAL = ("own", *LINES)
real = pytest.mark.parametrize("address", REAL, indirect=True)
"""For what a script says to a server: nobody but us speaks to the fake."""


@pytest.fixture(params=("fake", *REAL))
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    if request.param == "fake":
        yield None
    elif request.param == "own":
        with _own(tmp_path) as uri:
            yield uri
    else:
        find: ServerOf = request.getfixturevalue("server_of")
        yield find(request.param)


@pytest.fixture
def server(address: str | None) -> Server:
    return FakeServer() if address is None else RemoteServer(address, {})


@pytest.fixture
def run(server: Server) -> TrackedRun:
    experiment = server.create_experiment(f"experiment {uuid.uuid4().hex}")
    tags = (("mlflow.source.name", "/somewhere"), ("team", "blü"))
    return server.create_run(
        NewRun(experiment_id=experiment, name="sly fox", user="ada", started=START, tags=tags)
    )


@pytest.fixture
def script(address: str) -> Iterator[Caller]:
    """A client as a script is one."""
    with calling(address) as caller:
        yield caller


def test_experiments_are_found_by_name_and_by_id(server: Server) -> None:
    name = f"büro {uuid.uuid4().hex}"
    with pytest.raises(NotFound):
        server.experiment(name=name)
    with pytest.raises(NotFound):
        server.experiment(experiment_id="987654")
    number = server.create_experiment(name)
    found = [server.experiment(name=name), server.experiment(experiment_id=number)]
    assert [(each.name, each.experiment_id, each.lifecycle) for each in found] == [
        (name, number, Lifecycle.ACTIVE)
    ] * 2
    assert server.experiment(name="Default").experiment_id == "0"


def test_a_run_begins_as_it_is_told(server: Server, run: TrackedRun) -> None:
    found = server.run(run.run_id)
    assert (found.run_id, found.name, found.user) == (run.run_id, "sly fox", "ada")
    assert (found.experiment_id, found.status, found.started) == (run.experiment_id, RunStatus.RUNNING, START)
    assert not found.ended
    tags = dict(found.tags)
    assert (tags["mlflow.source.name"], tags["team"]) == ("/somewhere", "blü")
    with pytest.raises(NotFound):
        server.run("f" * 32)


def test_params_and_tags_are_logged_however_many(server: Server, run: TrackedRun) -> None:
    params = tuple((f"param {number:03}", str(number)) for number in range(250))
    server.log(run.run_id, params=params, tags=(("team", "red"), ("colour", "")))
    server.log(run.run_id)
    found = server.run(run.run_id)
    assert found.params == params
    assert dict(found.tags)["team"] == "red"


def test_points_are_logged_however_many_and_odd(server: Server, run: TrackedRun) -> None:
    steps = [Metric(key="loss", value=step / 4, timestamp=START, step=step) for step in range(2500)]
    odd = Metric(key="odd", value=math.nan, timestamp=START, step=3)
    server.log(run.run_id, metrics=(*steps, odd))
    latest = {metric.key: metric for metric in server.run(run.run_id).metrics}
    assert latest["loss"].value == 2499 / 4 and math.isnan(latest["odd"].value)
    assert sorted(point.step for point in server.history(run.run_id, "loss")) == list(range(2500))


def test_runs_begun_in_a_script_are_found_in_every_experiment(server: Server, run: TrackedRun) -> None:
    def begun(**tags: str) -> str:
        experiment = server.create_experiment(f"experiment {uuid.uuid4().hex}")
        named = tuple((key.replace("_", ".", 1), value) for key, value in sorted(tags.items()))
        new = NewRun(experiment_id=experiment, name="one", user="ada", started=START, tags=named)
        return server.create_run(new).run_id

    child = begun(mlflow_parentRunId=run.run_id)
    both = begun(mlflow_parentRunId=run.run_id, mlproj_begun_in=run.run_id)
    apart = begun(mlproj_begun_in=run.run_id)
    below = begun(mlflow_parentRunId=child)
    step = begun(mlflow_parentRunId=run.run_id, mlproj_run_id="other")
    begun(mlflow_parentRunId=step), begun(mlflow_parentRunId="f" * 32)
    found = [each.run_id for each in server.begun_in(run.run_id, apart="mlproj.run_id")]
    assert sorted(found) == sorted([child, both, apart, below])


def test_a_run_ends_with_its_status_and_time(server: Server, run: TrackedRun) -> None:
    for status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED, RunStatus.RUNNING):
        server.update(run.run_id, status=status, ended=START + 5000)
        found = server.run(run.run_id)
        assert found.status is status
        assert found.ended == START + 5000


def test_a_metric_nobody_logged_has_no_history(server: Server, run: TrackedRun) -> None:
    assert list(server.history(run.run_id, "none")) == []


@real
def test_what_a_script_logs_is_read(server: Server, run: TrackedRun, script: Caller) -> None:
    for start in range(0, 3000, 1000):
        points = [
            {"key": "loss", "value": 1 / (step + 1), "step": step, "timestamp": START + step}
            for step in range(start, start + 1000)
        ]
        script.done("POST", "runs/log-batch", run_id=run.run_id, metrics=points, params=[], tags=[])
    script.done(
        "POST", "runs/log-metric", run_id=run.run_id, key="odd", value="NaN", timestamp=START, step=-1
    )
    found = server.run(run.run_id)
    latest = {metric.key: metric for metric in found.metrics}
    assert latest["loss"] == Metric(key="loss", value=1 / 3000, step=2999, timestamp=START + 2999)
    assert math.isnan(latest["odd"].value) and latest["odd"].step == -1
    history = sorted(server.history(run.run_id, "loss"), key=lambda point: point.step)
    assert [(point.step, point.value) for point in history] == [
        (step, 1 / (step + 1)) for step in range(3000)
    ]


@real
def test_what_it_refuses_is_a_usage_error(server: Server, run: TrackedRun, script: Caller) -> None:
    with pytest.raises(UsageError, match="refuses"):
        server.log(run.run_id, params=(("x" * 300, "1"),))


@real
def test_files_have_digests_unless_they_are_large(server: Server, run: TrackedRun, script: Caller) -> None:
    place = f"/api/2.0/mlflow-artifacts/artifacts/{run.experiment_id}/{run.run_id}/artifacts"
    contents = {"note.txt": b"a note\n", "below/deep/model.bin": bytes(5000), "below/empty": b""}
    for path, content in contents.items():
        status, _ = script.raw("PUT", f"{place}/{path}", content)
        assert status == 200
    found = {file.path: file for file in server.files(run, most=10**6, altogether=10**6)}
    assert {path: (file.digest, file.size) for path, file in found.items()} == {
        f"artifacts/{path}": (Digest.of(content), len(content)) for path, content in contents.items()
    }
    some = {file.path: file for file in server.files(run, most=1000, altogether=10**6)}
    assert some["artifacts/below/deep/model.bin"].digest is None
    assert some["artifacts/below/deep/model.bin"].size == 5000
    assert some["artifacts/note.txt"].digest is not None
    none = server.files(run, most=10**6, altogether=5)
    assert [file.digest for file in none if file.size] == [None, None]


def test_a_run_without_files_has_none(server: Server, run: TrackedRun) -> None:
    assert list(server.files(run, most=10, altogether=10)) == []
