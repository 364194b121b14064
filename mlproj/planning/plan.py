"""Puts everything decided and observed together into one Plan."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from mlproj.model.environment import LockedEnvironment
from mlproj.model.plan import Plan, PlanInput, PlanParameter, Value
from mlproj.model.project import EntryPoint
from mlproj.model.provenance import InputState, Variables
from mlproj.model.source import SourceState


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed for a plan: the project's folder, the source it belongs to, the data, the lock, the
    variables. `outputs` and `metrics` are paths relative to the project's folder."""

    directory: Path
    source: SourceState
    inputs: tuple[InputState, ...]
    outputs: tuple[str, ...]
    metrics: tuple[str, ...]
    environment: LockedEnvironment
    variables: Variables
    timeout: float | None


def plan_run(entry: EntryPoint, values: tuple[Value, ...], facts: Facts) -> Plan:
    """The plan of running `entry` with `values`. Pure: equal arguments give equal plans."""
    environment = facts.environment
    return Plan(
        snapshot=facts.source.snapshot,
        subfolder=facts.source.subfolder,
        entry_point=entry.name,
        command=entry.command,
        parameters=tuple(_parameter(value, facts) for value in values),
        inputs=tuple(
            PlanInput(name=state.name, digest=state.digest)
            for state in sorted(facts.inputs, key=lambda state: state.name)
            if state.digest is not None
        ),
        outputs=facts.outputs,
        metrics=facts.metrics,
        timeout=facts.timeout,
        environment=environment.kind,
        lock=None if environment.lock is None else environment.lock.digest,
        python=None if environment.python is None else environment.python.version,
        platform=environment.platform,
        variables=facts.variables.planned,
    )


def place(path: Path, directory: Path, subfolder: str) -> str | None:
    """`path` relative to the project folder where it lies in the project's tree, else None."""
    root = directory
    for _ in Path(subfolder).parts:
        root = root.parent
    return Path(os.path.relpath(path, directory)).as_posix() if path.is_relative_to(root) else None


def _parameter(value: Value, facts: Facts) -> PlanParameter:
    text: str | None = value.text
    if value.secret:
        text = None
    elif value.located is not None:
        text = place(value.located, facts.directory, facts.source.subfolder) or f"input:{value.name}"
    return PlanParameter(name=value.name, type=value.type, text=text, extra=value.extra)
