"""Everything known of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mlproj.cli.pages.job import job_sections
from mlproj.cli.pages.models import MOST_SHOWN, model_sections
from mlproj.cli.pages.table import metrics_in_short
from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import content, counted, duration, number, size, sparkline
from mlproj.model.provenance import Tracing
from mlproj.model.run import Outcome, Run
from mlproj.services.datasets import ShownDataset
from mlproj.services.models import ShownModel

Series = Mapping[str, Sequence[float | str]]
"""The values that each metric took."""


def run_page(
    run: Run,
    *,
    series: Series,
    children: Sequence[Run] = (),
    models: Sequence[ShownModel] = (),
    datasets: Sequence[ShownDataset] = (),
) -> tuple[Section, ...]:
    """Everything known of a run; `children` are those that its script began."""
    job, plan, outcome = run.job, run.plan, run.outcome
    head: list[Row] = [
        ("run", run.run_id),
        ("name", run.name),
        ("status", run.status.value),
        ("created", run.created),
    ]
    if outcome is not None:
        head += _outcome_rows(outcome)
    if plan is not None:
        head.append(("plan", str(plan.identity)))
    head.append(("record", "not sealed yet" if run.record is None else f"{run.record} (no. {run.sequence})"))
    if run.imported is not None:
        head.append(("imported from", run.imported.origin))
    if run.reproduces is not None:
        head.append(("reproduces", run.reproduces))
    if run.deleted:
        head.append(("hidden", "yes"))
    sections = [Section(rows=tuple(head))]
    if job is not None:
        sections += job_sections(job, plan, outcome)
    elif outcome is not None and outcome.logged is not None:
        sections.append(Section(title="parameters", rows=outcome.logged.params))
        sections.append(Section(title="tags", rows=outcome.logged.tags))
    if outcome is not None:
        sections.append(_metrics(outcome, series))
    sections.append(Section(title="datasets", rows=tuple(map(dataset_row, datasets))))
    sections += model_sections(models)
    if outcome is not None:
        told = {file.path for model in models[:MOST_SHOWN] for file in model.files}
        sections += _outcome_sections(outcome, told)
    if children:
        sections.append(Section(title="runs that it started", rows=tuple(map(_child_row, children))))
    if run.amendments:
        rows = tuple(
            (item.time, item.kind, ", ".join(f"{key}={value}" for key, value in item.content.items()))
            for item in run.amendments
        )
        sections.append(Section(title="amendments", rows=rows))
    return tuple(sections)


def _outcome_rows(outcome: Outcome) -> list[Row]:
    usage = outcome.usage
    rows: list[Row] = [("started", outcome.started), ("ended", outcome.ended)]
    if outcome.exit_code is not None:
        rows.append(("exit code", str(outcome.exit_code)))
    if outcome.reason is not None:
        rows.append(("reason", outcome.reason))
    if usage.wall_s:
        took, cpu, memory = duration(usage.wall_s), duration(usage.cpu_s), size(usage.peak_rss_bytes)
        rows.append(("usage", f"{took}, {cpu} of CPU, {memory} at most"))
    return rows


def _metrics(outcome: Outcome, series: Series) -> Section:
    rows = tuple(_metric_row(key, value, outcome, series) for key, value in outcome.latest.items())
    return Section(title="metrics", rows=rows)


def _outcome_sections(outcome: Outcome, told: Collection[str]) -> list[Section]:
    outputs = tuple(
        (output.path, output.state, *content(output)) for output in outcome.outputs if output.path not in told
    )
    logs = tuple(
        (log.name, size(log.size) + (f" of {size(log.size + log.cut)}" if log.cut else ""), str(log.digest))
        for log in outcome.logs
    )
    return [
        Section(title="outputs", rows=outputs),
        Section(title="logs", rows=logs),
        Section(title="what was read", rows=_tracing_rows(outcome.tracing)),
        Section(title="notes", rows=tuple((note,) for note in outcome.notes)),
    ]


def _tracing_rows(tracing: Tracing | None) -> tuple[Row, ...]:
    if tracing is None:
        return ()
    told = counted(tracing.pythons, "Python program") if tracing.pythons else ""
    rows: list[Row] = [("seen by", ", ".join(filter(None, (tracing.means or "nobody", told))))]
    rows += [("not seen", sentence) for sentence in tracing.escaped]
    rows += [("written, not declared", path) for path in tracing.written]
    return tuple(rows)


def _metric_row(key: str, value: float | str, outcome: Outcome, series: Series) -> Row:
    """The latest value, its step, and how it came to it."""
    summary = outcome.summaries[key]
    if summary.count == 1:
        return (key, number(value), f"step {summary.step}" if summary.step else "", "")
    extremes = (
        ""
        if summary.minimum is None or summary.maximum is None
        else ", ".join((f"least {number(summary.minimum)}", f"greatest {number(summary.maximum)}"))
    )
    told = f"step {summary.step}, {counted(summary.count, 'point')}"
    return (key, number(value), f"{told}, {extremes}" if extremes else told, sparkline(series.get(key, ())))


def dataset_row(data: ShownDataset) -> Row:
    """What a script said that it read."""
    counts = ((data.rows, "row"), (data.columns, "column"))
    amount = ", ".join(counted(count, thing) for count, thing in counts if count is not None)
    return (data.name, data.context or "", data.source, amount, f"digest {data.digest}")


def _child_row(run: Run) -> Row:
    entry_point = "" if run.plan is None else run.plan.entry_point
    metrics = "" if run.outcome is None else metrics_in_short(run.outcome)
    return (run.run_id[:8], run.name, run.status.value, entry_point, metrics)
