"""What commands show of a run, a plan and a project, as sections of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import content, counted, duration, number, short, shortened, size, sparkline
from mlproj.model.logged import LOGGED, Logged
from mlproj.model.plan import Plan
from mlproj.model.project import Project
from mlproj.model.run import Job, Outcome, Output, Run, Status

_MOST_OMITTED = 20
"""So many files that a snapshot does not hold are shown one by one."""

_SHOWN_METRICS = 4
"""So many of a run's metrics are in its row."""

_MODEL_FILE = "MLmodel"
"""What says in a folder that it is a model of MLflow's."""

_OF_A_CLIENT = "mlflow."
"""How the tags begin that clients set for themselves: `--json` has them."""

Series = Mapping[str, Sequence[float | str]]
"""The values that each metric took."""


def run_summary(run: Run) -> Iterator[str]:
    """The lines said at the end of a run."""
    outcome = run.outcome
    if outcome is None:
        return
    word = {Status.FINISHED: "finished", Status.KILLED: "was stopped"}.get(run.status, "failed")
    reason = f": {outcome.reason}" if outcome.reason else ""
    yield f"run `{run.name}` ({run.run_id[:8]}) {word} in {duration(outcome.usage.wall_s)}{reason}"
    if outcome.latest:
        yield "metrics: " + ", ".join(f"{key} {number(value)}" for key, value in outcome.latest.items())
    models = models_among(outcome.outputs)
    for folder, files in models.items():
        yield f"model: {folder} ({counted(len(files), 'file')}, {size(sum(file.size for file in files))})"
    told_already = {file.path for files in models.values() for file in files}
    for output in outcome.outputs:
        if output.path not in told_already:
            told = f"{size(output.size)}, sha256 {short(output.digest)}" if output.digest else output.state
            yield f"output: {output.path} ({told})"
    yield f"hint: `mlproj show {run.run_id[:8]}` tells everything that is known of it"


def models_among(outputs: Sequence[Output]) -> dict[str, list[Output]]:
    """The files of each folder that holds a model as MLflow writes one, by that folder."""
    suffix = f"/{_MODEL_FILE}"
    folders = [output.path.removesuffix(suffix) for output in outputs if output.path.endswith(suffix)]
    return {
        folder: [output for output in outputs if output.path.startswith(f"{folder}/")] for folder in folders
    }


def run_page(run: Run, *, series: Series, children: Sequence[Run] = ()) -> tuple[Section, ...]:
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
    if run.reproduces is not None:
        head.append(("reproduces", run.reproduces))
    if run.deleted:
        head.append(("hidden", "yes"))
    sections = [Section(rows=tuple(head))]
    if job is not None:
        sections += _job_sections(job, plan, None if outcome is None else outcome.logged)
    if outcome is not None:
        sections += _outcome_sections(outcome, series)
    if children:
        sections.append(Section(title="runs that it started", rows=tuple(map(_child_row, children))))
    if run.amendments:
        rows = tuple(
            (item.time, item.kind, ", ".join(f"{key}={value}" for key, value in item.content.items()))
            for item in run.amendments
        )
        sections.append(Section(title="amendments", rows=rows))
    return tuple(sections)


def plan_page(plan: Plan, job: Job) -> tuple[Section, ...]:
    """What a run would be."""
    identity = plan.identity
    told = "none yet: the environment's lock is not resolved" if identity is None else str(identity)
    return (Section(rows=(("plan", told),)), *_job_sections(job, plan))


def project_page(project: Project) -> tuple[Section, ...]:
    """The project's entry points and what each takes."""
    named = (("project", project.name),) if project.name else ()
    sections = [Section(rows=(*named, ("environment", project.environment.because)))]
    for entry in project.entry_points:
        rows = tuple(
            (
                parameter.name,
                parameter.declared_type,
                "required" if parameter.default is None else f"default {parameter.default!r}",
                parameter.description or "",
            )
            for parameter in entry.parameters
        )
        title = f"-e {entry.name}" + (f": {entry.description}" if entry.description else "")
        sections.append(Section(title=title, rows=rows or (("no parameters",),)))
    return tuple(sections)


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


def _job_sections(job: Job, plan: Plan | None, logged: Logged | None = None) -> list[Section]:
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
    inputs = tuple((state.name, state.path, *content(state, "no digest")) for state in job.inputs)
    variables = (() if plan is None else plan.variables) + job.variables
    return [
        Section(title="job", rows=tuple(rows)),
        Section(title="parameters", rows=parameters),
        Section(title="source", rows=tuple(_source_rows(job))),
        Section(title="environment", rows=tuple(_environment_rows(job))),
        Section(title="data", rows=inputs),
        Section(title="host", rows=tuple(_host_rows(job))),
        Section(title="variables", rows=variables),
        Section(title="tags", rows=_tags(job, logged)),
    ]


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


def _environment_rows(job: Job) -> Iterator[Row]:
    environment = job.environment
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


def _outcome_sections(outcome: Outcome, series: Series) -> list[Section]:
    metrics = tuple(_metric_row(key, value, outcome, series) for key, value in outcome.latest.items())
    outputs = tuple((output.path, output.state, *content(output)) for output in outcome.outputs)
    logs = tuple(
        (log.name, size(log.size) + (f" of {size(log.size + log.cut)}" if log.cut else ""), str(log.digest))
        for log in outcome.logs
    )
    return [
        Section(title="metrics", rows=metrics),
        Section(title="datasets", rows=_dataset_rows(outcome.logged)),
        Section(title="outputs", rows=outputs),
        Section(title="models", rows=_model_rows(outcome.logged)),
        Section(title="logs", rows=logs),
        Section(title="notes", rows=tuple((note,) for note in outcome.notes)),
    ]


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


def _dataset_rows(logged: Logged | None) -> tuple[Row, ...]:
    datasets = () if logged is None else logged.datasets
    return tuple((data.name, data.source_type, data.source, f"digest {data.digest}") for data in datasets)


def _model_rows(logged: Logged | None) -> tuple[Row, ...]:
    words = {"input": "read", "output": "made"}
    models = () if logged is None else logged.models
    return tuple((model.model_id, words.get(model.direction, model.direction)) for model in models)


def _child_row(run: Run) -> Row:
    entry_point = "" if run.plan is None else run.plan.entry_point
    metrics = "" if run.outcome is None else _metrics_in_short(run.outcome)
    return (run.run_id[:8], run.name, run.status.value, entry_point, metrics)


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
        "" if run.outcome is None else _metrics_in_short(run.outcome, metric),
    )


def _metrics_in_short(outcome: Outcome, first: str = "") -> str:
    metrics = sorted(outcome.latest.items(), key=lambda item: item[0] != first)
    return " ".join(f"{key}={number(value)}" for key, value in metrics[:_SHOWN_METRICS])
