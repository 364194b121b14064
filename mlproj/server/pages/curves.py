"""The points of metrics for the page's charts: of each run so many that a line is drawn as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mlproj.errors import UsageError
from mlproj.server.pages.visit import Answer, Page, Told, Visit

_MOST = 1000
_MOST_RUNS = 100


@dataclass(slots=True, kw_only=True)
class Line:
    """The points of a metric in a run, as they are gathered; `values` has None for what is no number."""

    run: str
    name: str
    steps: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)


def tell(visit: Visit) -> Answer:
    """Of every run the steps, the times and the values of a metric; what is no number is null."""
    key, run_ids = visit.one("key"), visit.several("run")
    if not key or not run_ids or len(run_ids) > _MOST_RUNS:
        raise UsageError(f"a chart is of one metric, in 1 to {_MOST_RUNS} runs")
    names = {run_id: visit.run(run_id).name for run_id in run_ids} if len(run_ids) > 1 else {}
    points = visit.desk.tracking.runs.sampled(run_ids, key, visit.whole("most", _MOST, _MOST))
    lines = {run_id: Line(run=run_id, name=names.get(run_id, "")) for run_id in run_ids}
    for run_id, point in points:
        line = lines[run_id]
        line.steps.append(point.step)
        line.times.append(point.timestamp)
        line.values.append(point.value if math.isfinite(point.value) else None)
    return Told(value={"key": key, "lines": list(lines.values())})


PAGES = (Page(path="/curves", act=tell),)
