"""The list of runs, a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import duration, number, shortened
from mlproj.model.run import Outcome, Run

_SHOWN_METRICS = 4
"""So many of a run's metrics are in its row."""


def runs_table(runs: Sequence[Run], *, sort: str | None) -> Section:
    """One row a run. Sorted, with the metric that they are sorted by first; else runs that another's script
    began stand below that one."""
    headings = ("RUN", "NAME", "STATUS", "ENTRY", "CREATED (UTC)", "TIME", "METRICS")
    projects = {run.job.project for run in runs if run.job is not None}
    metric = (sort or "").removeprefix("-").removeprefix("metrics.")
    rows = tuple(
        _run_row(run, name_project=len(projects) > 1, depth=depth, metric=metric)
        for run, depth in (_as_tree(runs) if sort is None else [(run, 0) for run in runs])
    )
    return Section(headings=headings, rows=rows)


def _as_tree(runs: Sequence[Run]) -> Iterator[tuple[Run, int]]:
    """The runs with their depth, each followed by those that its script began, the first one first."""
    listed = {run.run_id for run in runs}
    below: dict[str | None, list[Run]] = {}
    for run in runs:
        parent = None if run.job is None else run.job.parent
        below.setdefault(parent if parent in listed else None, []).append(run)
    waiting = [(run, 0) for run in reversed(below.pop(None, []))]
    while waiting:
        run, depth = waiting.pop()
        yield run, depth
        # Newest first, so that the one that began first comes off first.
        waiting += [(child, depth + 1) for child in below.pop(run.run_id, [])]


def _run_row(run: Run, *, name_project: bool, depth: int, metric: str) -> Row:
    project = run.job.project if run.job is not None and name_project else ""
    entry_point = "" if run.plan is None else run.plan.entry_point
    return (
        run.run_id[:8],
        "  " * (depth - 1) + "└ " + run.name if depth else run.name,
        run.status.value + (" (hidden)" if run.deleted else ""),
        f"{shortened(project)}: {entry_point}" if project else entry_point,
        run.created[:16].replace("T", " "),
        duration(run.outcome.usage.wall_s) if run.outcome is not None and run.outcome.usage.wall_s else "",
        "" if run.outcome is None else metrics_in_short(run.outcome, metric),
    )


def metrics_in_short(outcome: Outcome, first: str = "") -> str:
    """A few of the metrics, the one named `first` before the others."""
    metrics = sorted(outcome.latest.items(), key=lambda item: item[0] != first)
    return " ".join(f"{key}={number(value)}" for key, value in metrics[:_SHOWN_METRICS])
