"""What of a run can be searched, derived from the run alone, so that every store says the same of it."""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import fields

from mlproj.model.digest import Digest, canonical
from mlproj.model.run import Run

DEFAULT_EXPERIMENT = "Default"
DETAILS = ("params", "metrics", "tags", "inputs", "outputs")
"""The fields of an index that hold many things each."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The searchable side of a run. Texts of parameters are with their type, metrics with their step."""

    status: str
    created: str
    experiment: str
    started: str | None = None
    ended: str | None = None
    duration: float | None = None
    exit_code: int | None = None
    plan: Digest | None = None
    project: str | None = None
    entry_point: str | None = None
    uri: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    user: str | None = None
    host: str | None = None
    parent: str | None = None
    reproduces: str | None = None
    snapshot: Digest | None = None
    params: dict[str, tuple[str, str]]
    metrics: dict[str, tuple[float | str, int]]
    tags: dict[str, str]
    inputs: frozenset[tuple[str, str, str | None, int]]
    """Name, path, digest and size of each."""
    outputs: frozenset[tuple[str, str, str | None, int]]
    """Path, state, digest and size of each."""

    def mapping(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def index_of(run: Run) -> Index:
    """The searchable side of `run`: the last value of each metric, the texts of its parameters."""
    job, outcome = run.job, run.outcome
    return Index(
        status=run.status.value if outcome is None else outcome.status.value,
        created=run.created,
        experiment=DEFAULT_EXPERIMENT if job is None else job.experiment,
        started=None if outcome is None else outcome.started,
        ended=None if outcome is None else outcome.ended,
        duration=None if outcome is None else float(outcome.usage.wall_s),
        exit_code=None if outcome is None else outcome.exit_code,
        plan=None if run.plan is None else run.plan.identity,
        project=None if job is None else job.project,
        entry_point=None if run.plan is None else run.plan.entry_point,
        uri=None if job is None else job.uri,
        commit=None if job is None else job.source.commit,
        dirty=None if job is None else job.source.dirty,
        user=None if job is None else job.user,
        host=None if job is None else job.host.name,
        parent=None if job is None else job.parent,
        reproduces=run.reproduces,
        snapshot=None if job is None else job.source.snapshot,
        params={} if job is None else {p.name: (text_of(p.value), p.type) for p in job.parameters},
        metrics={} if outcome is None else {m.key: (_number(m.value), m.step) for m in outcome.metrics},
        tags={} if job is None else dict(job.tags),
        inputs=frozenset(() if job is None else ((i.name, i.path, i.digest, i.size) for i in job.inputs)),
        outputs=frozenset(
            () if outcome is None else ((o.path, o.state, o.digest, o.size) for o in outcome.outputs)
        ),
    )


def text_of(value: str | int | float | bool) -> str:
    """A parameter's value as text: as JSON spells it, so that it is the same before and after the seal."""
    if isinstance(value, str):
        return value
    return canonical(value if isinstance(value, bool) else float(value)).decode()


def number_in(text: str) -> float | None:
    """The number that a text stands for, if it is one; NaN is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _number(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(value)
