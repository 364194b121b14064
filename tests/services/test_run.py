"""The verb `run` on parts that stand in for the world: whatever fails, the run is closed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import EnvironmentFailed, Interrupted, MlprojError, ProjectError, StoreError, UsageError
from mlproj.model.environment import Reach
from mlproj.model.events import Note, Started
from mlproj.model.run import Run, Status
from mlproj.ports import Task
from mlproj.services.hook import FOLDER
from mlproj.services.request import RunRequest, Tools
from mlproj.services.run import plan, run
from mlproj.services.verify import verify
from mlproj.sources.tree import temporary_tree
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.store_ports import RunQuery, RunStore
from mlproj.testing import (
    MOMENT,
    FakeEndpoint,
    FakeEnvironment,
    FakeExecutor,
    FakeObserver,
    FakeServer,
    FakeSource,
    Recorder,
)

PROJECT = """\
name: trial
entry_points:
  main:
    parameters: {alpha: {type: float, default: 0.5}, word: {type: string, default: plain}}
    outputs: [model.txt]
    metrics: [metrics.json]
    command: "train {alpha} {word}"
"""


@dataclass
class World:
    """The parts of one test, and what came of them."""

    folder: Path
    observer: FakeObserver = field(default_factory=FakeObserver)
    environment: FakeEnvironment = field(default_factory=FakeEnvironment)
    executor: FakeExecutor = field(default_factory=FakeExecutor)
    endpoint: FakeEndpoint = field(default_factory=FakeEndpoint)
    unexpected: Callable[[Exception], None] = lambda error: None
    server: FakeServer = field(default_factory=FakeServer)
    events: Recorder = field(default_factory=Recorder)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def store(self) -> RunStore:
        return open_store(self.folder / "store", create=True)

    @property
    def tools(self) -> Tools:
        ids = iter(f"{number:032x}" for number in range(1, 100))
        return Tools(
            sources=lambda uri: FakeSource(self.project),
            observer=self.observer,
            download=_download,
            environments=lambda spec: self.environment,
            executor=lambda activation: self.executor,
            open_store=lambda: self.store,
            enclosure=lambda container, run_id, called: contextlib.nullcontext(container),
            endpoint=self._open_endpoint,
            server=lambda uri: self.server,
            tracking=lambda store: open_tracking(open_store(store.root, create=False)),
            now=lambda: MOMENT,
            new_id=lambda: next(ids),
            workplace=lambda: temporary_tree(self.folder / "trees"),
            user=lambda: "ada",
            cache=self.folder / "cache",
        )

    def _open_endpoint(
        self,
        store: RunStore,
        run_id: str,
        movable: bool,
        unexpected: Callable[[Exception], None],
        reach: Reach | None,
    ) -> FakeEndpoint:
        self.unexpected = unexpected
        return self.endpoint

    def request(self, **changes: str) -> RunRequest:
        return RunRequest(
            uri="project", caller=self.folder, environ={"PATH": os.environ["PATH"]}, parameters=changes
        )

    def run(self, **parameters: str) -> Run:
        return run(self.request(**parameters), self.tools, self.events)

    def only(self) -> Run:
        (found,) = self.store.search(RunQuery(limit=None))
        return found


def _download(uri: str, folder: Path, report: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "data").write_text(uri)
    return folder / "data"


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "MLproject").write_text(PROJECT)
    return World(tmp_path)


def train(project: Path) -> Callable[[Task], None]:
    def act(_task: Task) -> None:
        (project / "model.txt").write_text("a model\n")
        (project / "metrics.json").write_text('{"rmse": 0.25}')

    return act


def test_a_run_that_goes_well_is_finished_and_sealed(world: World) -> None:
    world.executor.act = train(world.project)
    finished = world.run()
    assert finished.status is Status.FINISHED
    assert finished == world.only()
    assert finished.outcome is not None
    assert [(point.key, point.value) for point in finished.outcome.metrics] == [("rmse", 0.25)]
    assert [(output.path, output.state) for output in finished.outcome.outputs] == [
        ("model.txt", "written"),
        ("metrics.json", "written"),
    ]
    assert verify(world.store).sound
    stages = [event.stage for event in world.events.events if isinstance(event, Started)]
    assert stages == ["fetch", "lock", "build", "run", "collect", "seal"]


def test_the_child_gets_the_environment_and_the_run_s_variables(world: World) -> None:
    there: list[bool] = []
    world.executor.act = lambda task: there.append(Path(task.environ["MLPROJ_OUTPUT_DIR"]).is_dir())
    finished = world.run()
    (task,) = world.executor.tasks
    assert task.argv == ("bash", "-c", "train 0.5 plain")
    assert task.environ["PATH"].startswith("/environment/bin:")
    assert task.environ["VIRTUAL_ENV"] == "/environment"
    assert task.environ["PYTHONHASHSEED"] == "0"
    assert task.environ["MLPROJ_RUN_ID"] == finished.run_id
    assert there == [True]


def test_the_script_finds_the_run_s_endpoint_as_long_as_the_run_goes_on(world: World) -> None:
    closed: list[bool] = []
    world.executor.act = lambda task: closed.append(world.endpoint.closed)
    finished = world.run()
    (task,) = world.executor.tasks
    assert task.environ["MLFLOW_TRACKING_URI"] == task.environ["MLPROJ_TRACKING_URI"] == world.endpoint.uri
    assert task.environ["MLFLOW_RUN_ID"] == finished.run_id
    assert task.environ["MLFLOW_EXPERIMENT_ID"] == "0"
    assert task.environ["NO_PROXY"] == task.environ["no_proxy"] == "127.0.0.1,localhost"
    assert task.environ["PYTHONPATH"] == str(FOLDER)
    assert task.secrets == (world.endpoint.token,)
    assert closed == [False] and world.endpoint.closed


def test_a_fault_of_the_endpoint_is_on_the_record_and_ends_nothing(world: World) -> None:
    def act(_task: Task) -> None:
        for _ in range(2):
            world.unexpected(KeyError("column"))

    world.executor.act = act
    finished = world.run()
    assert finished.status is Status.FINISHED and finished.outcome is not None
    (note,) = (note for note in finished.outcome.notes if "fault of mlproj's own" in note)
    assert note.endswith("KeyError: 'column'")


def test_an_endpoint_is_closed_however_the_command_ends(world: World) -> None:
    def fail(_task: Task) -> None:
        raise RuntimeError("a bug")

    world.executor.act = fail
    with pytest.raises(RuntimeError):
        world.run()
    assert world.endpoint.closed


def test_without_tracking_the_script_is_told_of_no_endpoint(world: World) -> None:
    run(replace(world.request(), tracking=False), world.tools, world.events)
    (task,) = world.executor.tasks
    assert not [name for name in task.environ if name.startswith("MLFLOW_")]
    assert task.secrets == () and "PYTHONPATH" not in task.environ


def test_a_proxy_s_exceptions_stay_and_a_step_knows_its_run(world: World) -> None:
    environ = {"PATH": os.environ["PATH"], "no_proxy": "intranet,localhost", "PYTHONPATH": "mine"}
    run(replace(world.request(), environ=environ, parent="f" * 32), world.tools, world.events)
    (task,) = world.executor.tasks
    assert task.environ["NO_PROXY"] == task.environ["no_proxy"] == "intranet,localhost,127.0.0.1"
    assert task.environ["PYTHONPATH"] == os.pathsep.join((str(FOLDER), "mine"))
    job = world.only().job
    assert job is not None and job.parent == "f" * 32
    assert not Path(task.environ["MLPROJ_OUTPUT_DIR"]).exists(), "an empty one is not kept"


@pytest.mark.parametrize(
    "end, status, words",
    [
        ({"exit_code": 7}, Status.FAILED, "exit code 7"),
        ({"exit_code": 127}, Status.FAILED, "did not find a program"),
        ({"exit_code": -9}, Status.FAILED, "SIGKILL"),
        ({"exit_code": -2, "timed_out": True}, Status.FAILED, "timed out"),
        ({"exit_code": -2, "interrupted": signal.SIGINT}, Status.KILLED, "SIGINT"),
    ],
)
def test_how_the_command_ended_is_the_run_s_status(
    world: World, end: dict[str, int], status: Status, words: str
) -> None:
    for name, value in end.items():
        setattr(world.executor, name, value)
    ended = world.run()
    assert ended.status is status and ended.outcome is not None
    assert ended.outcome.exit_code == end["exit_code"]
    assert ended.outcome.reason is not None and words in ended.outcome.reason
    assert verify(world.store).sound


@pytest.mark.parametrize(
    "failure, status, words",
    [
        (EnvironmentFailed("no such package"), Status.FAILED, "no such package"),
        (Interrupted(signal.SIGTERM), Status.KILLED, "SIGTERM"),
        (RuntimeError("a bug"), Status.FAILED, "a bug"),
    ],
)
def test_a_failure_after_the_run_was_begun_closes_it_with_the_reason(
    world: World, failure: BaseException, status: Status, words: str
) -> None:
    world.environment.failure = failure
    if isinstance(failure, Interrupted):
        world.run()
    else:
        with pytest.raises(type(failure)):
            world.run()
    closed = world.only()
    assert closed.status is status and closed.record is not None and closed.outcome is not None
    assert closed.outcome.exit_code is None
    assert closed.outcome.reason is not None and words in closed.outcome.reason
    assert world.executor.tasks == []


def test_what_breaks_in_the_middle_of_the_command_keeps_its_logs(world: World) -> None:
    def break_down(_task: Task) -> None:
        raise StoreError("the disk is full")

    world.executor.act = break_down
    with pytest.raises(StoreError):
        world.run()
    closed = world.only()
    assert closed.status is Status.FAILED and closed.outcome is not None
    assert {log.name: log.size for log in closed.outcome.logs}["stdout"] == 5


def test_what_cannot_be_meant_leaves_no_run_behind(world: World) -> None:
    with pytest.raises(UsageError):
        world.run(alpha="strong")
    assert world.store.search(RunQuery()) == ()


def test_a_run_id_must_be_one(world: World) -> None:
    request = replace(world.request(), run_id="../../x")
    with pytest.raises(UsageError):
        run(request, world.tools, world.events)


def test_a_source_that_changed_meanwhile_is_noted(world: World) -> None:
    world.observer.changing = ("train.py",)
    finished = world.run()
    assert finished.outcome is not None and any("train.py" in note for note in finished.outcome.notes)
    assert any(isinstance(event, Note) and "train.py" in event.message for event in world.events.events)


def test_a_metrics_file_that_cannot_be_read_is_noted_and_no_failure(world: World) -> None:
    def break_off(_task: Task) -> None:
        (world.project / "metrics.json").write_text("{")

    world.executor.act = break_off
    finished = world.run()
    assert finished.status is Status.FINISHED and finished.outcome is not None
    assert any("metrics.json" in note for note in finished.outcome.notes)


def test_a_secret_is_masked_in_the_record_and_given_to_the_child(world: World) -> None:
    finished = world.run(word="secret-sauce")
    assert world.executor.tasks[0].argv[-1] == "train 0.5 secret-sauce"
    assert finished.job is not None and "secret-sauce" not in repr(finished)
    assert finished.job.command == "train 0.5 ***"


def test_data_named_by_uri_is_fetched_and_counts_by_its_digest(world: World) -> None:
    text = "entry_points:\n  main:\n    parameters: {data: path}\n    command: 'read {data}'\n"
    (world.project / "MLproject").write_text(text)
    finished = world.run(data="https://example.org/t.csv")
    assert finished.plan is not None and finished.job is not None
    assert finished.plan.parameters[0].text == "input:data"
    (state,) = finished.job.inputs
    assert state.path == "https://example.org/t.csv" and state.digest is not None
    assert not Path(world.executor.tasks[0].argv[-1].removeprefix("read ")).exists(), "gone with the run"


def test_a_plan_alone_opens_no_store_and_resolves_nothing(world: World) -> None:
    def refuse() -> RunStore:
        raise AssertionError("a dry run asked for the store")

    prepared = plan(world.request(), replace(world.tools, open_store=refuse), world.events)
    assert prepared.plan.identity is None and world.environment.built == 0
    assert not (world.folder / "store").exists()


def test_every_error_has_an_exit_code_of_its_own_kind() -> None:
    codes = {kind: kind.exit_code for kind in (UsageError, ProjectError, EnvironmentFailed, StoreError)}
    assert sorted(codes.values()) == [2, 3, 4, 5]
    assert MlprojError.exit_code == 70
