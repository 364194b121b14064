"""Decides what a run will be: reads the project, observes, locks, and ends with a Plan and a Job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlproj.errors import Refused
from mlproj.model.digest import Digest
from mlproj.model.environment import LockedEnvironment
from mlproj.model.events import Ended, Report, Started
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.plan import Plan, Value
from mlproj.model.project import EntryPoint, Project
from mlproj.model.run import EnvironmentState, Job, ShownParameter
from mlproj.model.source import Checkout, Snapshot, SourceState
from mlproj.planning.command import render
from mlproj.planning.entry import find_entry_point
from mlproj.planning.paths import fill, fill_known
from mlproj.planning.plan import Facts, plan_run
from mlproj.ports import Environment, SnapshotRules
from mlproj.services.background import Background
from mlproj.services.inputs import bound, observed
from mlproj.services.request import RunRequest, Tools
from mlproj.spec import environment_for, read_project
from mlproj.version import __version__

MASK = "***"
SHELL = ("bash", "-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that is decided and not begun. `products` are the declared outputs and metric files, relative
    to the project folder; `command` is what bash gets, secrets in it."""

    project: Project
    entry: EntryPoint
    checkout: Checkout
    plan: Plan
    job: Job
    command: str
    products: tuple[str, ...]
    metrics: tuple[str, ...]
    snapshot: Snapshot
    environment: Environment
    locked: LockedEnvironment
    notes: tuple[str, ...] = ()


def prepare(
    request: RunRequest, checkout: Checkout, tools: Tools, report: Report, *, storage: Path | None
) -> Prepared:
    """Everything that is decided before anything runs. `storage` is the folder for data that is downloaded.

    Without it (a dry run) nothing is: an environment whose lock is not known yet stays unlocked too, and the
    plan without an identity. Raises UsageError, ProjectError or EnvironmentFailed.
    """
    project = read_project(checkout.directory)
    entry = find_entry_point(project, request.entry_point, checkout.directory)
    values = bound(request, entry, checkout, tools, storage, report)
    metrics = tuple(fill(template, values, entry) for template in entry.metrics)
    outputs = _unique(*(fill(template, values, entry) for template in (*entry.outputs, *request.outputs)))
    products = _unique(*outputs, *metrics)
    specification = environment_for(project, checkout.directory, request.environment_manager)
    environment = tools.environments(specification)

    rules = SnapshotRules(outputs=_unique(*products, *_outputs_of_others(project, entry)), keep=request.keep)
    observing = Background(lambda: tools.observer.source(checkout, rules, report))
    report(Started(stage="lock", detail=specification.because))
    locked = environment.lock(
        specification, checkout.directory, report, refresh=request.refresh, resolve=storage is not None
    )
    report(Ended(stage="lock"))
    inputs = observed(request, entry, values, checkout, tools, report)
    state, snapshot = observing.result()
    if request.require_clean:
        _require_clean(state)

    variables = tools.observer.variables(request.environ)
    plan = plan_run(
        entry,
        values,
        Facts(
            directory=checkout.directory,
            subfolder=state.subfolder,
            snapshot=snapshot.digest,
            inputs=inputs,
            outputs=outputs,
            metrics=metrics,
            environment=locked,
            variables=variables.planned,
            timeout=request.timeout or entry.timeout,
        ),
    )
    command = render(entry, values, {value.name: _execution_text(value) for value in values})
    masked = render(entry, values, {value.name: _masked_text(value) for value in values})
    job = Job(
        project=project.name or checkout.directory.name,
        uri=checkout.uri,
        experiment=request.experiment or DEFAULT_EXPERIMENT,
        directory=str(checkout.directory),
        argv=(*SHELL, masked),
        command=masked,
        backend="local",
        user=tools.user(),
        parameters=tuple(_shown(value, entry) for value in values),
        source=state,
        environment=_environment_state(locked),
        inputs=inputs,
        host=tools.observer.host(),
        variables=variables.recorded,
        tags=request.tags,
        parent=request.environ.get("MLPROJ_RUN_ID"),
        mlproj_version=__version__,
    )
    return Prepared(
        project=project,
        entry=entry,
        checkout=checkout,
        plan=plan,
        job=job,
        command=command,
        products=products,
        metrics=metrics,
        snapshot=snapshot,
        environment=environment,
        locked=locked,
    )


def _outputs_of_others(project: Project, entry: EntryPoint) -> tuple[str, ...]:
    """What the project's other entry points declare, as far as their defaults tell: no source either."""
    found: list[str] = []
    for other in project.entry_points:
        if other.name == entry.name:
            continue
        texts = {item.name: item.default for item in other.parameters if item.default is not None}
        for template in (*other.outputs, *other.metrics):
            filled = fill_known(template, texts)
            if filled is not None:
                found.append(filled)
    return tuple(found)


def _require_clean(state: SourceState) -> None:
    if state.commit is None:
        raise Refused("the project is not at a git commit", hint="commit it, or leave out `--require-clean`")
    if state.dirty:
        raise Refused(
            f"the source is not clean: {', '.join(state.changes[:5])}",
            hint="commit or remove these, or leave out `--require-clean`",
        )


def _execution_text(value: Value) -> str:
    return value.text if value.located is None else str(value.located)


def _masked_text(value: Value) -> str:
    return MASK if value.secret else _execution_text(value)


def _shown(value: Value, entry: EntryPoint) -> ShownParameter:
    declared = entry.parameter(value.name)
    return ShownParameter(
        name=value.name,
        value=MASK if value.secret else value.typed,
        type=value.type.value,
        origin=value.origin.value,
        base=value.base,
        description=None if declared is None else declared.description,
    )


def _environment_state(locked: LockedEnvironment) -> EnvironmentState:
    lock, python = locked.lock, locked.python
    return EnvironmentState(
        kind=locked.kind,
        python=None if python is None else python.version,
        executable=None if python is None else str(python.executable),
        platform=locked.platform,
        lock=None if lock is None else lock.digest,
        lock_format=None if lock is None else lock.format,
        lock_file=None if lock is None else Digest.of(lock.text),
        packages=0 if lock is None else len(lock.packages),
        key=locked.key,
        because=locked.because,
    )


def _unique(*paths: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
