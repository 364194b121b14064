"""Several runs side by side: parameters, metrics, curves, and what the records of two differ in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from mlproj.errors import Altered, UsageError
from mlproj.model.tracking import TrackedRun
from mlproj.server.held import HeldBlobs
from mlproj.server.pages.columns import OF_THE_MACHINE, Details, details
from mlproj.server.pages.visit import Answer, Difference, Page, Shown, Visit

_MOST = 100
_SIDE_BY_SIDE = 20
"""Of more runs only charts are shown."""
_CHARTS = 8


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter or metric in all of the runs; with `differs`, they do not all have the same."""

    key: str
    cells: tuple[str | float | None, ...]
    differs: bool


def show(visit: Visit) -> Answer:
    run_ids = visit.several("run")
    if not 2 <= len(run_ids) <= _MOST:
        raise UsageError(
            f"2 to {_MOST} runs are compared, and not {len(run_ids)}",
            hint="tick runs in the table of runs, and press Compare",
        )
    runs = [visit.run(run_id) for run_id in run_ids]
    rows = [details(run) for run in runs]
    metrics = _lines([row.metrics for row in rows])
    shown = [line for line in metrics if not line.key.startswith(OF_THE_MACHINE)]
    axes = _axes(rows)
    values = {
        "runs": runs,
        "beside": len(runs) <= _SIDE_BY_SIDE,
        "only": visit.one("only") == "1",
        "params": _lines([row.params for row in rows]),
        "metrics": shown,
        "charts": _curves(visit, runs)[:_CHARTS],
        "axes": [axis["name"] for axis in axes],
        "data": {"runs": [{"run": run.run_id, "name": run.name} for run in runs], "axes": axes},
        "difference": _difference(visit, runs),
    }
    return Shown(template="compare.html", values=values)


def _curves(visit: Visit, runs: Sequence[TrackedRun]) -> Sequence[str]:
    """The metrics of which a run has several points, those that most of the runs have first."""
    found = Counter(
        each.latest.key
        for run in runs
        for each in visit.desk.tracking.runs.summaries(run.run_id)
        if each.count > 1 and not each.latest.key.startswith(OF_THE_MACHINE)
    )
    return [key for key, _ in sorted(found.items(), key=lambda each: (-each[1], each[0]))]


def _lines(rows: Sequence[Mapping[str, Any]]) -> Sequence[Line]:
    keys = sorted({key for row in rows for key in row})
    cells = ((key, tuple(row.get(key) for row in rows)) for key in keys)
    return [Line(key=key, cells=each, differs=_differ(each)) for key, each in cells]


def _differ(cells: Iterable[object]) -> bool:
    return len({None if cell is None else str(cell) for cell in cells}) > 1


def _axes(rows: Sequence[Details]) -> list[dict[str, Any]]:
    """What charts of many runs can be drawn along: whatever is a number in two runs at least and differs."""
    kinds = (("params", [row.params for row in rows]), ("metrics", [row.metrics for row in rows]))
    axes = []
    for kind, of_runs in kinds:
        for key in sorted({key for each in of_runs for key in each}):
            numbers = [_number(each.get(key)) for each in of_runs]
            known = {number for number in numbers if number is not None}
            if len(known) > 1 and not key.startswith(OF_THE_MACHINE):
                axes.append({"name": f"{kind}.{key}", "values": numbers})
    return axes


def _number(value: str | float | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _difference(visit: Visit, runs: Sequence[TrackedRun]) -> Difference | None:
    """What the records of two runs differ in, where both are there."""
    if len(runs) != 2 or visit.desk.store is None:
        return None
    before, after = (visit.record(run.run_id) for run in runs)
    if before is None or after is None or before.job is None or after.job is None:
        return None
    try:
        return visit.verbs.difference(HeldBlobs(visit.desk.store.blobs, before, after), before, after)
    except Altered:
        return None


PAGES = (Page(path="/compare", act=show),)
