"""What of a run can be searched, derived from the run alone, so that every store says the same of it."""

from __future__ import annotations

import math

import msgspec
from msgspec.structs import asdict, replace

from mlproj.model.digest import Digest, as_digest, canonical
from mlproj.model.logged import (
    LOGGED,
    Logged,
    LoggedDataset,
    Point,
    Summary,
    number_of,
    read_points,
    summed,
)
from mlproj.model.moment import milliseconds
from mlproj.model.provenance import InputState
from mlproj.model.run import Amendment, Run

DEFAULT_EXPERIMENT = "Default"
DETAILS = ("params", "metrics", "tags", "inputs", "outputs", "datasets", "models")
"""The fields of an index that hold many things each."""


Cells = tuple[float | str, int, int, float | str | None, float | str | None, int]
"""Of a metric: value, step, time, minimum, maximum and number of points."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The searchable side of a run. Texts of parameters are with their type, metrics in sum."""

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
    started_ms: int | None = None
    ended_ms: int | None = None
    logged_status: str | None = None
    """What a client set after the seal, or elsewhere for a run of which nobody knows an end."""
    params: dict[str, tuple[str, str]]
    metrics: dict[str, Cells]
    tags: dict[str, str]
    inputs: frozenset[tuple[str, str, str | None, int]]
    """Name, path, digest and size of each."""
    outputs: frozenset[tuple[str, str, str | None, int]]
    """Path, state, digest and size of each."""
    datasets: frozenset[tuple[str, str, str, str, str | None, str | None, str]] = frozenset()
    """Name, digest, type and text of the source, digests of schema and profile, and tags of each."""
    models: frozenset[tuple[str, str, int]] = frozenset()
    """Id, direction and step of each."""

    def mapping(self) -> dict[str, object]:
        return asdict(self)


def index_of(run: Run) -> Index:
    """The searchable side of `run`: what was planned, what was logged, and what came after the seal."""
    job, outcome = run.job, run.outcome
    logged = (None if outcome is None else outcome.logged) or Logged()
    started, ended = (None, None) if outcome is None else (outcome.started, outcome.ended)
    endless = None if run.imported is None else run.imported.status
    if endless is not None:
        ended = None
    index = Index(
        status=run.status.value if outcome is None else outcome.status.value,
        created=run.created,
        experiment=logged.experiment or (DEFAULT_EXPERIMENT if job is None else job.experiment),
        started=started,
        ended=ended,
        duration=None if outcome is None else float(outcome.usage.wall_s),
        exit_code=None if outcome is None else outcome.exit_code,
        plan=None if run.plan is None else run.plan.identity,
        project=None if job is None else job.project,
        entry_point=None if run.plan is None else run.plan.entry_point,
        uri=None if job is None else job.uri,
        commit=None if job is None else job.source.commit,
        dirty=None if job is None else job.source.dirty,
        user=logged.user if job is None else job.user,
        host=None if job is None else job.host.name,
        parent=None if job is None else job.parent,
        reproduces=run.reproduces,
        snapshot=None if job is None else job.source.snapshot,
        started_ms=milliseconds(started or run.created),
        ended_ms=milliseconds(ended),
        logged_status=endless,
        params=_params(run, logged),
        metrics={} if outcome is None else {key: sums.cells for key, sums in outcome.summaries.items()},
        tags=_tags(run, logged),
        inputs=frozenset((item.name, item.path, item.digest, item.size) for item in inputs_of(run)),
        outputs=frozenset(
            () if outcome is None else ((o.path, o.state, o.digest, o.size) for o in outcome.outputs)
        ),
        datasets=frozenset(map(_dataset, logged.datasets)),
        models=frozenset((use.model_id, use.direction, use.step) for use in logged.models),
    )
    for amendment in run.amendments:
        index = _amended(index, amendment)
    return index


def inputs_of(run: Run) -> tuple[InputState, ...]:
    """The data of a run: what it was given, and what it was seen to read besides."""
    given = () if run.job is None else run.job.inputs
    read = () if run.outcome is None else run.outcome.reads
    return (*given, *read)


def _params(run: Run, logged: Logged) -> dict[str, tuple[str, str]]:
    planned = () if run.job is None else run.job.parameters
    # A number as it was spelt, which is what the script was given: its client looks for that text.
    spelt = {} if run.plan is None else {item.name: item.text for item in run.plan.parameters}
    texts = {
        item.name: item.value if isinstance(item.value, str) else spelt.get(item.name) or text_of(item.value)
        for item in planned
    }
    return {key: (text, LOGGED) for key, text in logged.params} | {
        item.name: (texts[item.name], item.type) for item in planned
    }


def _tags(run: Run, logged: Logged) -> dict[str, str]:
    kept = {} if run.job is None else {k: v for k, v in run.job.tags if k not in logged.untagged}
    return kept | dict(logged.tags)


def _dataset(item: LoggedDataset) -> tuple[str, str, str, str, str | None, str | None, str]:
    tags = canonical(dict(item.tags)).decode()
    return item.name, item.digest, item.source_type, item.source, item.schema, item.profile, tags


def _amended(index: Index, amendment: Amendment) -> Index:
    """What is searched after something was added to the record."""
    content = amendment.content
    match amendment.kind:
        case "tag" if "key" in content:
            return replace(index, tags={**index.tags, content["key"]: content["value"]})
        case "untag":
            return replace(index, tags={k: v for k, v in index.tags.items() if k != content["key"]})
        case "param":
            return replace(index, params={**index.params, content["key"]: (content["value"], LOGGED)})
        case "metrics":
            return replace(index, metrics={**index.metrics, **_with(index, content["points"])})
        case "output":
            size = int(content["size"])
            digest = Digest(content["digest"]) if "digest" in content else None
            output = (content["path"], content["state"], digest, size)
            return replace(index, outputs=index.outputs | {output})
        case "status":
            return replace(
                index,
                logged_status=content.get("status", index.logged_status),
                ended_ms=int(content["ended"]) if "ended" in content else index.ended_ms,
            )
        case "under":
            return replace(index, experiment=content["experiment"])
        case "dataset":
            item = msgspec.json.decode(content["dataset"], type=LoggedDataset, dec_hook=as_digest)
            return replace(index, datasets=index.datasets | {_dataset(item)})
        case "model":
            use = (content["model_id"], content["direction"], int(content["step"]))
            return replace(index, models=index.models | {use})
        case _:
            return index


def _with(index: Index, lines: str) -> dict[str, Cells]:
    points: dict[str, list[Point]] = {}
    for key, point in read_points(lines.split("\n")):
        points.setdefault(key, []).append(point)
    return {key: summed(added, _summary(index.metrics.get(key))).cells for key, added in points.items()}


def _summary(cells: Cells | None) -> Summary | None:
    if cells is None:
        return None
    value, step, timestamp, minimum, maximum, count = cells
    return Summary(
        step=step,
        timestamp=timestamp,
        value=number_of(value),
        minimum=None if minimum is None else number_of(minimum),
        maximum=None if maximum is None else number_of(maximum),
        count=count,
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
