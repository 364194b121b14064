"""What a run would be, or was: the plan and how it was carried out."""

from __future__ import annotations

from collections.abc import Iterator

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import content, counted, duration, size
from mlproj.model.logged import LOGGED, Logged
from mlproj.model.plan import Plan
from mlproj.model.provenance import InputState
from mlproj.model.run import EnvironmentState, Job, Outcome
from mlproj.model.trigger import Trigger

_MOST_OMITTED = 20
"""So many files that a snapshot does not hold are shown one by one."""

_OF_A_CLIENT = "mlflow."
"""How the tags begin that clients set for themselves: `--json` has them."""


def plan_page(plan: Plan, job: Job) -> tuple[Section, ...]:
    """What a run would be."""
    identity = plan.identity
    told = "none yet: the environment's lock is not resolved" if identity is None else str(identity)
    return (Section(rows=(("plan", told),)), *job_sections(job, plan))


def job_sections(job: Job, plan: Plan | None, outcome: Outcome | None = None) -> list[Section]:
    """How the plan was, or would be, carried out; with what the script logged and read of its own accord."""
    logged = None if outcome is None else outcome.logged
    rows: list[Row] = [("project", job.project), ("from", job.uri)]
    if plan is not None:
        rows.append(("entry point", plan.entry_point))
    moved = None if logged is None else logged.experiment
    rows += [
        ("command", job.command),
        ("folder", job.directory),
        ("experiment", f"{moved} (named by the script)" if moved else job.experiment),
        ("user", job.user),
    ]
    if plan is not None and plan.timeout is not None:
        rows.append(("timeout", duration(plan.timeout)))
    if job.parent is not None:
        rows.append(("started by run", job.parent))
    if job.trigger is not None:
        rows += trigger_rows(job.trigger)
    if job.server is not None:
        rows.append(("at the server", f"{job.server.uri}, as run {job.server.run_id}"))
    parameters = tuple(
        (
            item.name,
            str(item.value),
            item.type,
            item.origin + (f" (in the {item.base}'s folder)" if item.base in ("caller", "project") else ""),
            item.description or "",
        )
        for item in job.parameters
    )
    parameters += tuple((*pair, LOGGED, "by the script", "") for pair in _params(logged))
    inputs = tuple((state.name, state.path, *content(state, "no digest"), "") for state in job.inputs)
    inputs += tuple(map(_read, () if outcome is None else outcome.reads))
    variables = (() if plan is None else plan.variables) + job.variables
    return [
        Section(title="job", rows=tuple(rows)),
        Section(title="parameters", rows=parameters),
        Section(title="source", rows=tuple(_source_rows(job))),
        Section(title="environment", rows=tuple(environment_rows(job.environment))),
        Section(title="data", rows=inputs),
        Section(title="host", rows=tuple(_host_rows(job))),
        Section(title="variables", rows=variables),
        Section(title="tags", rows=_tags(job, logged)),
    ]


def trigger_rows(trigger: Trigger) -> Iterator[Row]:
    """Which watch started a run, and why."""
    yield ("watch", trigger.watch)
    for cause in trigger.causes:
        yield ("triggered by", cause.told)
    if trigger.previous is not None:
        yield ("run before it", trigger.previous)


def _read(state: InputState) -> tuple[str, str, str, str, str]:
    told = f"not declared, {counted(state.files, 'file')}" if state.kind == "folder" else "not declared"
    return (state.name, state.path, *content(state, "no digest"), told)


def _params(logged: Logged | None) -> tuple[tuple[str, str], ...]:
    return () if logged is None else logged.params


def _tags(job: Job, logged: Logged | None) -> tuple[tuple[str, str], ...]:
    """The tags that a person or the script gave the run."""
    if logged is None:
        return job.tags
    tags = {**dict(job.tags), **dict(logged.tags)}
    gone = set(logged.untagged)
    return tuple(
        (key, text) for key, text in tags.items() if key not in gone and not key.startswith(_OF_A_CLIENT)
    )


def _source_rows(job: Job) -> Iterator[Row]:
    source = job.source
    if source.commit is not None:
        branch = f" ({source.branch})" if source.branch else ""
        yield ("commit", source.commit + branch)
        yield ("state", "dirty" if source.dirty else "clean")
    else:
        yield ("commit", "none: not under git")
    if source.changes:
        yield ("changed", "\n".join(source.changes))
    if source.remote is not None:
        yield ("remote", source.remote)
    if source.subfolder:
        yield ("subfolder", source.subfolder)
    for submodule in source.submodules:
        yield ("submodule", f"{submodule.path} {submodule.commit or ''}{' dirty' if submodule.dirty else ''}")
    yield ("snapshot", f"{source.snapshot} ({counted(source.files, 'file')})")
    for omitted in source.omitted[:_MOST_OMITTED]:
        yield ("left out", f"{omitted.path}: {omitted.reason}")
    if (more := len(source.omitted) - _MOST_OMITTED) > 0:
        yield ("left out", f"{counted(more, 'further file')} that `--json` names")
    if source.omitted_manifest is not None:
        yield ("left out", f"more still: all that were digested stand in {source.omitted_manifest}")


def environment_rows(environment: EnvironmentState) -> Iterator[Row]:
    """What is known of an environment, a row each."""
    yield ("kind", environment.kind)
    yield ("because", environment.because)
    image = environment.image
    if image is None:
        yield ("python", f"{environment.python or 'none'} ({environment.executable or 'not found'})")
    else:
        yield ("image", f"{image.name} ({image.id})")
        yield ("digest", image.digest or "in no registry")
        if environment.options:
            yield ("options", " ".join(environment.options))
    yield ("platform", environment.platform)
    yield ("lock", f"{environment.lock or 'not resolved'} ({counted(environment.packages, 'package')})")
    if environment.as_of is not None:
        yield ("as of", environment.as_of)
    if environment.key is not None:
        yield ("key", environment.key)


def _host_rows(job: Job) -> Iterator[Row]:
    host = job.host
    yield ("name", host.name)
    yield ("system", f"{host.system} {host.release} {host.machine}" + (f", {host.libc}" if host.libc else ""))
    yield ("processor", f"{host.cpu}, {counted(host.cores, 'core')}")
    yield ("memory", size(host.memory_bytes))
    if host.container is not None:
        yield ("container", host.container)
    for gpu in host.gpus:
        yield ("gpu", f"{gpu.name}, driver {gpu.driver}, {size(gpu.memory_bytes)}")
