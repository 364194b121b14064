"""Small parts that stand in for the world, for tests of code that speaks to ports.

A store needs no stand-in: `mlproj.store.opening.open_store` makes a real one in a temporary folder in 4 ms.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import MlprojError, NotFound, UsageError
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.environment import (
    Activation,
    Door,
    EnvironmentSpec,
    Interpreter,
    Lock,
    LockedEnvironment,
    LockedPackage,
)
from mlproj.model.events import ChildOutput, Event, Report
from mlproj.model.provenance import Host, InputState, Variables
from mlproj.model.run import Usage
from mlproj.model.source import Checkout, Snapshot, SnapshotFile, SourceState
from mlproj.model.tracking import (
    BEGUN_IN,
    PARENT,
    Experiment,
    Metric,
    NewRun,
    Pairs,
    RunStatus,
    ServedFile,
    TrackedRun,
)
from mlproj.ports import Execution, ObservedInput, Resolving, SnapshotRules, Task

MOMENT = "2026-01-02T03:04:05.678Z"


@dataclass
class FakeSource:
    """Every URI is the folder `directory`."""

    directory: Path

    def accepts(self, uri: str) -> bool:
        return True

    @contextlib.contextmanager
    def fetch(self, uri: str, revision: str | None, report: Report) -> Iterator[Checkout]:
        yield Checkout(directory=self.directory, root=self.directory, uri=uri, revision=revision)


@dataclass
class FakeObserver:
    """Sees the regular files right in the project's folder, a clean tree, and a machine of no interest.

    `changing` are paths that it says have changed when it is asked again.
    """

    changing: tuple[str, ...] = ()

    def source(
        self, checkout: Checkout, rules: SnapshotRules, report: Report
    ) -> tuple[SourceState, Snapshot]:
        kept = (path for path in sorted(checkout.root.iterdir()) if path.is_file())
        files = tuple(
            SnapshotFile(
                path=path.name, mode=0o100644, digest=Digest.of(path.read_bytes()), size=path.stat().st_size
            )
            for path in kept
            if path.name not in rules.outputs
        )
        snapshot = Snapshot(root=checkout.root, files=files)
        state = SourceState(uri=checkout.uri, dirty=False, snapshot=snapshot.digest, files=len(files))
        return state, snapshot

    def commit_date(self, checkout: Checkout, report: Report) -> str | None:
        return MOMENT

    def changed(self, snapshot: Snapshot) -> tuple[str, ...]:
        return self.changing

    def data(self, name: str, path: Path, project: Path, *, declared: bool, report: Report) -> ObservedInput:
        content = path.read_bytes()
        state = InputState(
            name=name, path=str(path), kind="file", digest=Digest.of(content), size=len(content)
        )
        return ObservedInput(state=state)

    def manifest(self, name: str, path: Path, report: Report) -> bytes:
        files = (each for each in path.iterdir() if each.is_file())
        return folder_manifest((each.name.encode(), Digest.of(each.read_bytes())) for each in files)

    def remote(self, name: str, uri: str) -> ObservedInput:
        return ObservedInput(state=InputState(name=name, path=uri, kind="uri", digest=None, size=0))

    def host(self) -> Host:
        return Host(
            name="host", system="Linux", release="6", machine="x86_64", cpu="cpu", cores=1, memory_bytes=1
        )

    def variables(self, environ: Mapping[str, str]) -> Variables:
        return Variables(planned=(("PYTHONHASHSEED", "0"),), recorded=())

    def secret(self, value: str) -> bool:
        return value.startswith("secret-")


@dataclass
class FakeEnvironment:
    """One package, locked at once unless nothing may be resolved. `failure` is raised by building."""

    failure: BaseException | None = None
    built: int = 0

    def lock(
        self, spec: EnvironmentSpec, project: Path, report: Report, resolving: Resolving
    ) -> LockedEnvironment:
        package = LockedPackage(name="six", version="1.17.0")
        return LockedEnvironment(
            kind="virtualenv",
            lock=Lock(format="installed", packages=(package,), text=b"six==1.17.0\n")
            if resolving.resolve
            else None,
            python=Interpreter(executable=Path("/usr/bin/python3"), version="3.11.7", because="it is a fake"),
            platform="linux-x86_64",
            key="key",
            because=spec.because,
        )

    def build(self, locked: LockedEnvironment, project: Path, report: Report) -> Activation:
        self.built += 1
        if self.failure is not None:
            raise self.failure
        return Activation(path=(Path("/environment/bin"),), variables=(("VIRTUAL_ENV", "/environment"),))


@dataclass
class FakeEndpoint:
    """Answers nobody; `closed` says whether it was told that the script has ended."""

    uri: str = "http://127.0.0.1:1/t/token"
    token: str = "token"
    closed: bool = False

    def door(self) -> Door:
        return Door(port=1, descriptor=2)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeServer:
    """A tracking server in memory. `failure` is raised by whatever it is asked, and `refusing` are the keys
    of params that it does not take."""

    failure: MlprojError | None = None
    refusing: tuple[str, ...] = ()
    experiments: dict[str, str] = field(default_factory=lambda: {"0": "Default"})
    runs: dict[str, TrackedRun] = field(default_factory=dict)
    points: dict[tuple[str, str], tuple[Metric, ...]] = field(default_factory=dict)
    held: tuple[ServedFile, ...] = ()

    def experiment(self, *, name: str | None = None, experiment_id: str | None = None) -> Experiment:
        self._answer()
        for number, known in self.experiments.items():
            if known == name or number == experiment_id:
                return Experiment(
                    experiment_id=number, name=known, artifact_location="", created=0, updated=0
                )
        raise NotFound("no such experiment")

    def create_experiment(self, name: str) -> str:
        self._answer()
        number = str(len(self.experiments))
        self.experiments[number] = name
        return number

    def create_run(self, new: NewRun) -> TrackedRun:
        self._answer()
        run_id = f"there-{len(self.runs)}"
        self.runs[run_id] = TrackedRun(
            run_id=run_id,
            name=new.name,
            experiment_id=new.experiment_id,
            user=new.user,
            status=RunStatus.RUNNING,
            started=new.started,
            ended=None,
            artifact_uri="",
            tags=new.tags,
        )
        return self.runs[run_id]

    def run(self, run_id: str) -> TrackedRun:
        self._answer()
        if run_id not in self.runs:
            raise NotFound("no such run")
        return self.runs[run_id]

    def log(
        self, run_id: str, *, params: Pairs = (), tags: Pairs = (), metrics: Sequence[Metric] = ()
    ) -> None:
        run = self.run(run_id)
        if any(key in self.refusing for key, _ in params):
            raise UsageError("too long")
        if any(metric.key in self.refusing for metric in metrics):
            raise UsageError("no such key")
        if any(metric in self.points.get((run_id, metric.key), ()) for metric in metrics):
            raise UsageError("MLflow's server takes no point twice")
        self.runs[run_id] = replace(
            run,
            params=tuple(sorted({**dict(run.params), **dict(params)}.items())),
            tags=tuple(sorted({**dict(run.tags), **dict(tags)}.items())),
        )
        self.log_points(run_id, *metrics)

    def begun_in(self, run_id: str, *, apart: str) -> Iterator[TrackedRun]:
        self._answer()
        for run in tuple(self.runs.values()):
            tags = dict(run.tags)
            if run_id in (tags.get(BEGUN_IN), tags.get(PARENT)) and apart not in tags:
                yield run
                yield from self.begun_in(run.run_id, apart=apart)

    def update(self, run_id: str, *, status: RunStatus, ended: int | None = None) -> None:
        self.runs[run_id] = replace(self.run(run_id), status=status, ended=ended)

    def log_points(self, run_id: str, *points: Metric) -> None:
        run = self.run(run_id)
        for point in points:
            earlier = self.points.get((run_id, point.key), ())
            self.points[run_id, point.key] = (*earlier, point)
        latest = {metric.key: metric for metric in (*run.metrics, *points)}
        self.runs[run_id] = replace(run, metrics=tuple(latest.values()))

    def history(self, run_id: str, key: str) -> Iterator[Metric]:
        self._answer()
        yield from self.points.get((run_id, key), ())

    def address(self, uri: str) -> str:
        self._answer()
        return uri

    def pinned(self, uri: str) -> str:
        self._answer()
        return uri

    def fetch(self, address: str, folder: Path) -> Path:
        self._answer()
        raise NotFound(f"`{address}` is not there")

    def files(self, run: TrackedRun, *, most: int, altogether: int) -> Iterator[ServedFile]:
        self._answer()
        yield from self.held

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeExecutor:
    """Starts nothing: `act` stands for what the command does, and `execution` is how it ends."""

    act: Callable[[Task], None] = lambda task: None
    exit_code: int = 0
    timed_out: bool = False
    interrupted: int | None = None
    output: bytes = b"said\n"
    tasks: list[Task] = field(default_factory=list)

    def execute(self, task: Task, report: Report) -> Execution:
        self.tasks.append(task)
        report(ChildOutput(stream="stdout", data=self.output))
        (task.logs / "stdout").write_bytes(self.output)
        (task.logs / "stderr").write_bytes(b"")
        (task.logs / "times").write_text(f"0.001 stdout {len(self.output)}\n")
        self.act(task)
        return Execution(
            exit_code=self.exit_code,
            started=MOMENT,
            ended=MOMENT,
            usage=Usage(wall_s=0.5, cpu_s=0.25, peak_rss_bytes=1024),
            timed_out=self.timed_out,
            interrupted=self.interrupted,
        )


@dataclass
class Recorder:
    """A report that keeps the events."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
