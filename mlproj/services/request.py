"""What a person asks of a run, and the parts of the world that carrying it out needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import compress
from pathlib import Path

import msgspec

from mlproj.model.environment import (
    Activation,
    Container,
    EnvironmentSpec,
    Isolation,
    Reach,
    RecordedLock,
)
from mlproj.model.events import Report
from mlproj.model.run import SWITCHES
from mlproj.model.source import Checkout
from mlproj.model.trigger import Trigger
from mlproj.ports import Endpoint, Environment, Executor, Observer, Source, Tracer
from mlproj.settings import Limits
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Server, Tracking


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One `mlproj run`, as it was meant. `caller` is the folder it was asked from, `environ` its variables.

    `inputs` and `outputs` are paths in addition to what the entry point declares (inputs relative to the
    caller's folder, outputs to the project's); `timeout` in seconds overrides the entry point's. `keep`
    names files that the snapshot would leave out as secret or too large. `storage` is the folder for data
    that is downloaded. `as_of` is the instant (RFC 3339, or `commit` for that of the source's commit) that
    nothing in the environment may be newer than. `run_id` is only given by programs that announce a run
    before they start it.

    `recorded` is a lock to take in place of resolving one, `reproduces` the run that this one does again, and
    `brought` says where inputs lie that are not where their names say.

    `experiment_given` says that a person named the experiment, so that no script moves the run elsewhere.
    With `tracking` the script can log to the run; with `script_tracking` it may log to a server of its own
    choice instead; without `hook` nothing is mended in its MLflow. `tracking_uri` is the server where a
    person wants the run to be; `run_id` and `experiment_id` are that server's then. `parent` is the run that
    this one is a step of. `secrets` are names of variables whose values are shown to nobody. For a project
    with a container, `docker_arguments` are options of `docker run`, and `build_image` has an image made that
    holds the project. With `isolation` the run sees only what its record names.

    `trigger` is why a watch starts the run.

    `trace` says how it is seen what the run reads (one of `services.tracing.WAYS`), and `strict_inputs` fails
    it where that is more than was declared.
    """

    uri: str
    caller: Path
    environ: Mapping[str, str]
    entry_point: str = "main"
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    revision: str | None = None
    environment_manager: str | None = None
    experiment: str | None = None
    experiment_id: str | None = None
    run_name: str | None = None
    run_id: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    timeout: float | None = None
    keep: tuple[str, ...] = ()
    storage: Path | None = None
    refresh: bool = False
    as_of: str | None = None
    require_clean: bool = False
    experiment_given: bool = False
    tracking: bool = True
    tracking_uri: str | None = None
    script_tracking: bool = False
    hook: bool = True
    parent: str | None = None
    secrets: tuple[str, ...] = ()
    docker_arguments: tuple[tuple[str, str | None], ...] = ()
    build_image: bool = False
    recorded: RecordedLock | None = None
    reproduces: str | None = None
    trigger: Trigger | None = None
    brought: Mapping[str, Path] = msgspec.field(default_factory=dict)
    isolation: Isolation | None = None
    trace: str = "python"
    strict_inputs: bool = False
    reuse: bool = False

    @property
    def switches(self) -> tuple[str, ...]:
        """How the run is looked at otherwise than runs are, for its record."""
        thrown = (not self.tracking, self.script_tracking, not self.hook, self.strict_inputs)
        return tuple(compress(SWITCHES, thrown))


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that serve the ports of a run, chosen in `run_wiring`. `now` gives RFC 3339 in UTC, `new_id`
    32 hex digits, `workplace` a new folder for the length of a `with`; `open_store` makes the store if there
    is none, and is not called by a dry run, `far` is its address where it is at a server; `endpoint` opens
    that of the run with this id, which its script may move to another experiment or not, where a container
    reaches it; `enclosure` has the container of the run with this id alone with us, if it is to call us, or
    with nobody; `server` is the one at an address, `tracking` what a store tracks; `tracer` is the way to see
    what a run reads that `--trace` names, and without it nobody looks."""

    sources: Callable[[str], Source]
    observer: Observer
    download: Callable[[str, Path, Report], Path]
    environments: Callable[[EnvironmentSpec], Environment]
    executor: Callable[[Activation], Executor]
    open_store: Callable[[], RunStore]
    endpoint: Callable[[RunStore, str, bool, Callable[[Exception], None], Reach | None], Endpoint]
    enclosure: Callable[[Container, str, bool], AbstractContextManager[Container]]
    server: Callable[[str], Server]
    tracking: Callable[[RunStore], Tracking]
    now: Callable[[], str]
    new_id: Callable[[], str]
    workplace: Callable[[], AbstractContextManager[Path]]
    user: Callable[[], str]
    cache: Path
    limits: Limits = Limits()
    far: str | None = None
    tracer: Callable[[str], Tracer] | None = None


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose source is fetched: what the stages of a run have in common."""

    request: RunRequest
    checkout: Checkout
    tools: Tools
    report: Report
