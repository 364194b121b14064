"""What differs between two runs: a pure comparison of what was recorded of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from mlproj.model.digest import Digest
from mlproj.model.environment import LockedPackage
from mlproj.model.index import text_of
from mlproj.model.project import ParameterType
from mlproj.model.run import Run

File = tuple[int, Digest]
"""A file's mode and content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that is `before` in the first run and `after` in the second; None where it is not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A source file that differs, by its path as readable text."""

    path: str
    before: File | None
    after: File | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """A metric side by side. `delta` is after minus before, None where one of them is no number."""

    key: str
    before: float | str | None
    after: float | str | None
    delta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What comparing needs of a run beside the run: its source's files, and its lock's packages.

    None where the store does not hold it.
    """

    files: Mapping[str, File] | None = None
    packages: tuple[LockedPackage, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDifference:
    """Everything that differs; each tuple is empty where nothing does. Metrics are all there.

    `same_plan` is None where a plan has no identity.
    """

    before: str
    after: str
    same_plan: bool | None
    plan: tuple[Change, ...]
    parameters: tuple[Change, ...]
    source: tuple[Change, ...]
    files: tuple[FileChange, ...]
    environment: tuple[Change, ...]
    packages: tuple[Change, ...]
    inputs: tuple[Change, ...]
    reads: tuple[Change, ...]
    variables: tuple[Change, ...]
    host: tuple[Change, ...]
    outcome: tuple[Change, ...]
    metrics: tuple[MetricComparison, ...]
    outputs: tuple[Change, ...]


def compare_runs(
    before: Run, after: Run, contents: tuple[Contents, Contents] = (Contents(), Contents())
) -> RunDifference:
    """How `after` differs from `before`."""
    identities = [None if run.plan is None else run.plan.identity for run in (before, after)]
    return RunDifference(
        before=before.run_id,
        after=after.run_id,
        same_plan=None if None in identities else identities[0] == identities[1],
        plan=_changes(_plan(before), _plan(after)),
        parameters=_changes(_parameters(before), _parameters(after)),
        source=_changes(_source(before), _source(after)),
        files=_files(contents[0].files, contents[1].files),
        environment=_changes(_environment(before), _environment(after)),
        packages=_packages(contents[0].packages, contents[1].packages),
        inputs=_changes(_inputs(before), _inputs(after)),
        reads=_changes(_reads(before), _reads(after)),
        variables=_changes(_variables(before), _variables(after)),
        host=_changes(_host(before), _host(after)),
        outcome=_changes(_outcome(before), _outcome(after)),
        metrics=_metrics(_last(before), _last(after)),
        outputs=_changes(_outputs(before), _outputs(after)),
    )


def _changes(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> tuple[Change, ...]:
    """Where two mappings differ, in the order of the first, then of the second."""
    names = dict.fromkeys(chain(before, after))
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _plan(run: Run) -> dict[str, str | None]:
    if run.plan is None:
        return {}
    return {
        "identity": run.plan.identity,
        "entry_point": run.plan.entry_point,
        "command": run.plan.command,
        "subfolder": run.plan.subfolder,
        "timeout": None if run.plan.timeout is None else str(run.plan.timeout),
    }


def _parameters(run: Run) -> dict[str, str | None]:
    """A path as the plan has it: where the data happened to lie is no difference."""
    planned = () if run.plan is None else run.plan.parameters
    paths = {item.name: item.text for item in planned if item.type is ParameterType.PATH}
    shown = () if run.job is None else run.job.parameters
    return {item.name: paths.get(item.name) or text_of(item.value) for item in shown}


def _source(run: Run) -> dict[str, str | None]:
    if run.job is None:
        return {}
    source = run.job.source
    return {
        "uri": source.uri,
        "commit": source.commit,
        "branch": source.branch,
        "dirty": None if source.dirty is None else text_of(source.dirty),
        "snapshot": source.snapshot,
        **{f"submodule {module.path}": module.commit for module in source.submodules},
    }


def _environment(run: Run) -> dict[str, str | None]:
    if run.job is None:
        return {}
    environment = run.job.environment
    return {
        "kind": environment.kind,
        "python": environment.python,
        "platform": environment.platform,
        "lock": environment.lock,
    }


def _inputs(run: Run) -> dict[str, str | None]:
    return {} if run.job is None else {item.name: item.digest for item in run.job.inputs}


def _reads(run: Run) -> dict[str, str | None]:
    """What it read and nobody declared."""
    return {} if run.outcome is None else {item.path: item.digest for item in run.outcome.reads}


def _variables(run: Run) -> dict[str, str | None]:
    planned = () if run.plan is None else run.plan.variables
    recorded = () if run.job is None else run.job.variables
    return dict(chain(planned, recorded))


def _host(run: Run) -> dict[str, str | None]:
    if run.job is None:
        return {}
    host = run.job.host
    return {
        "name": host.name,
        "system": f"{host.system} {host.release}",
        "machine": host.machine,
        "cpu": host.cpu,
        "cores": str(host.cores),
        "threads": None if host.threads is None else str(host.threads),
        "cpu features": " ".join(host.features) or None,
        "container": host.container,
        "gpus": ", ".join(f"{gpu.name} (driver {gpu.driver})" for gpu in host.gpus) or None,
    }


def _outcome(run: Run) -> dict[str, str | None]:
    if run.outcome is None:
        return {"status": run.status.value}
    exit_code = run.outcome.exit_code
    return {
        "status": run.outcome.status.value,
        "exit_code": None if exit_code is None else str(exit_code),
        "reason": run.outcome.reason,
    }


def _outputs(run: Run) -> dict[str, str | None]:
    return {} if run.outcome is None else {o.path: o.digest or o.state for o in run.outcome.outputs}


def _last(run: Run) -> dict[str, float | str]:
    return {} if run.outcome is None else run.outcome.latest


def _metrics(
    before: Mapping[str, float | str], after: Mapping[str, float | str]
) -> tuple[MetricComparison, ...]:
    return tuple(
        MetricComparison(
            key=key,
            before=before.get(key),
            after=after.get(key),
            delta=_delta(before.get(key), after.get(key)),
        )
        for key in dict.fromkeys(chain(before, after))
    )


def _delta(before: float | str | None, after: float | str | None) -> float | None:
    if isinstance(before, str | None) or isinstance(after, str | None):
        return None
    return after - before


def _files(before: Mapping[str, File] | None, after: Mapping[str, File] | None) -> tuple[FileChange, ...]:
    if before is None or after is None:
        return ()
    return tuple(
        FileChange(path=path, before=before.get(path), after=after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def _packages(
    before: Iterable[LockedPackage] | None, after: Iterable[LockedPackage] | None
) -> tuple[Change, ...]:
    if before is None or after is None:
        return ()
    changes = _changes(_versions(before), _versions(after))
    return tuple(sorted(changes, key=lambda change: change.name))


def _versions(packages: Iterable[LockedPackage]) -> dict[str, str | None]:
    """Each package's versions: a lock for several platforms may hold more than one."""
    versions: dict[str, set[str]] = {}
    for package in packages:
        versions.setdefault(package.name, set()).add(package.version)
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}
