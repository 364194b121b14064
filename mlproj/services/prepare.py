"""Decides what a run will be: reads the project, observes, locks, and ends with a Plan and a Job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj.errors import Refused
from mlproj.model.environment import (
    CONTAINER_SHELL,
    SHELL,
    DockerSpec,
    EnvironmentSpec,
    LockedEnvironment,
    Mount,
)
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.plan import Plan, Value
from mlproj.model.project import EntryPoint, Project
from mlproj.model.redaction import MASK
from mlproj.model.run import Job, ShownParameter
from mlproj.model.source import Snapshot, SourceState
from mlproj.planning.command import render
from mlproj.planning.containers import mounted, places
from mlproj.planning.entry import find_entry_point
from mlproj.planning.paths import fill, usual_outputs
from mlproj.planning.plan import Facts, plan_run
from mlproj.ports import Environment, SnapshotRules
from mlproj.services.background import Background
from mlproj.services.inputs import bound, observed
from mlproj.services.locking import environment_state, locked_environment
from mlproj.services.request import Context
from mlproj.services.specifying import specified
from mlproj.spec import read_project
from mlproj.version import __version__


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is decided and not begun. `command` is what bash gets, secrets in it; `shown` are the
    parameters that are none, as it gets them."""

    plan: Plan
    job: Job
    command: str
    shown: tuple[tuple[str, str], ...]
    snapshot: Snapshot
    environment: Environment
    locked: LockedEnvironment
    listings: tuple[bytes, ...] = ()
    """The manifests of the folders among its data."""
    mounts: tuple[Mount, ...] = ()
    """Of a run in a container: its data, beside the project."""
    models: tuple[str, ...] = ()
    """Those of the declared outputs that are models."""
    data: tuple[str, ...] = ()
    """Where its data lies here, as absolute paths: what parameters name, and declared inputs."""

    @property
    def products(self) -> tuple[str, ...]:
        """What the run is to write: the declared outputs and metric files, relative to the project folder."""
        return _unique(*self.plan.outputs, *self.plan.metrics)


def prepare(context: Context, *, storage: Path | None) -> Prepared:
    """Everything that is decided before anything runs. `storage` is the folder for data that is downloaded.

    Without it (a dry run) nothing is: an environment whose lock is not known yet stays unlocked too, and the
    plan without an identity. Raises UsageError, ProjectError or EnvironmentFailed.
    """
    request, tools, directory = context.request, context.tools, context.checkout.directory
    project = read_project(directory)
    entry = find_entry_point(project, request.entry_point, lambda name: os.path.isfile(directory / name))
    values = bound(context, entry, storage)
    metrics = tuple(fill(template, values, entry) for template in entry.metrics)
    outputs = _unique(*(fill(template, values, entry) for template in (*entry.outputs, *request.outputs)))
    written = _unique(*outputs, *metrics, *_outputs_of_others(project, entry))
    specification = specified(context, project, written)
    environment = tools.environments(specification)

    limits = tools.limits
    rules = SnapshotRules(
        outputs=written, keep=request.keep, size_limit=limits.file, total_limit=limits.snapshot
    )
    observing = Background(lambda: tools.observer.source(context.checkout, rules, context.report))
    locked = locked_environment(context, environment, specification, resolve=storage is not None)
    seen = observed(context, entry, values)
    source, snapshot = observing.result()
    if request.require_clean:
        _require_clean(source)

    facts = Facts(
        directory=directory,
        source=source,
        inputs=tuple(each.state for each in seen),
        outputs=outputs,
        metrics=metrics,
        environment=locked,
        variables=tools.observer.variables(request.environ),
        timeout=request.timeout or entry.timeout,
    )
    texts, mounts = _texts(context, specification, values)
    masked = render(entry, values, _masked(values, texts))
    return Prepared(
        plan=plan_run(entry, values, facts),
        job=_job(context, project, facts, masked, tuple(_shown(value, entry) for value in values)),
        command=render(entry, values, texts),
        shown=tuple((value.name, texts[value.name]) for value in values if not value.secret),
        snapshot=snapshot,
        environment=environment,
        locked=locked,
        listings=tuple(each.manifest for each in seen if each.manifest is not None),
        mounts=mounts,
        models=tuple(fill(template, values, entry) for template in entry.models),
        data=_unique(
            *(str(value.located) for value in values if value.located is not None),
            *(os.path.join(directory, state.path) for state in facts.inputs if state.kind != "uri"),
        ),
    )


def _texts(
    context: Context, specification: EnvironmentSpec, values: tuple[Value, ...]
) -> tuple[dict[str, str], tuple[Mount, ...]]:
    """The values as the command gets them; in a container files have names of their own."""
    texts = {value.name: _execution_text(value) for value in values}
    if not isinstance(specification, DockerSpec):
        return texts, ()
    directory = context.checkout.directory
    named, mounts = places(values, directory)
    further = (context.request.caller / text for text in context.request.inputs)
    return {**texts, **named}, (*mounts, *mounted(further, directory))


def _job(
    context: Context, project: Project, facts: Facts, masked: str, parameters: tuple[ShownParameter, ...]
) -> Job:
    request, tools = context.request, context.tools
    shell = CONTAINER_SHELL if facts.environment.kind == "docker" else SHELL
    return Job(
        project=project.name or facts.directory.name,
        uri=context.checkout.uri,
        experiment=request.experiment or DEFAULT_EXPERIMENT,
        directory=str(facts.directory),
        argv=(*shell, masked),
        command=masked,
        backend="local",
        user=tools.user(),
        parameters=parameters,
        source=facts.source,
        environment=environment_state(facts.environment),
        inputs=facts.inputs,
        host=tools.observer.host(),
        variables=facts.variables.recorded,
        tags=tuple((name, MASK if tools.observer.secret(text) else text) for name, text in request.tags),
        parent=request.parent,
        isolation=request.isolation,
        switches=request.switches,
        trigger=request.trigger,
        mlproj_version=__version__,
    )


def _outputs_of_others(project: Project, entry: EntryPoint) -> tuple[str, ...]:
    """What the project's other entry points declare, as far as their defaults tell: no source either."""
    others = (other for other in project.entry_points if other.name != entry.name)
    return tuple(path for other in others for path in usual_outputs(other))


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


def _masked(values: tuple[Value, ...], texts: Mapping[str, str]) -> dict[str, str]:
    return {value.name: MASK if value.secret else texts[value.name] for value in values}


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


def _unique(*paths: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))
