"""What `--json` prints: one versioned object for each kind of answer. Keys are only ever added."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from mlproj.cli.streams import delivering
from mlproj.model.digest import plain
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.logged import LOGGED
from mlproj.model.plan import Plan
from mlproj.model.project import EntryPoint, Project
from mlproj.model.provenance import InputState
from mlproj.model.run import Job, Outcome, Run

RUN_SCHEMA = "mlproj/run/1"


def print_document(document: object) -> None:
    with delivering():
        sys.stdout.write(json.dumps(plain(document), indent=2, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def run_document(run: Run, children: Sequence[Run] = ()) -> dict[str, Any]:
    """A run as `run` and `show` give it, with the runs that its script began (in a list of runs, each stands
    for itself)."""
    outcome, plan = run.outcome, run.plan
    identity = None if plan is None else plan.identity
    return {
        "schema": RUN_SCHEMA,
        "run_id": run.run_id,
        "name": run.name,
        "status": run.status.value,
        "exit_code": None if outcome is None else outcome.exit_code,
        "reason": None if outcome is None else outcome.reason,
        "entry_point": None if plan is None else plan.entry_point,
        "plan": identity,
        "created": run.created,
        **_job(run.job, () if outcome is None else outcome.reads),
        **_outcome(outcome),
        **_with_logged(run),
        "outputs_declared": [] if plan is None else list(plan.outputs),
        "variables": {} if plan is None else dict(plan.variables),
        "timeout": None if plan is None else plan.timeout,
        "record": run.record,
        "sequence": run.sequence,
        "reproduces": run.reproduces,
        "deleted": run.deleted,
        "amendments": [plain(amendment) for amendment in run.amendments],
        "children": [child.run_id for child in children],
    }


def project_document(project: Project) -> dict[str, Any]:
    """What a project offers."""
    return {
        "schema": "mlproj/project/1",
        "name": project.name,
        "environment": {"because": project.environment.because},
        "entry_points": [_entry_point(entry) for entry in project.entry_points],
    }


def plan_document(plan: Plan, job: Job) -> dict[str, Any]:
    """What a dry run gives: the plan's identity, what it is the digest of, and the same facts as a run's."""
    return {
        "schema": "mlproj/plan/1",
        "plan": plan.identity,
        "entry_point": plan.entry_point,
        **_job(job),
        "outputs": list(plan.outputs),
        "metrics": list(plan.metrics),
        "timeout": plan.timeout,
        "variables": dict(plan.variables),
        "document": plan.document(),
    }


def _job(job: Job | None, reads: Sequence[InputState] = ()) -> dict[str, Any]:
    if job is None:
        return {}
    return {
        "experiment": job.experiment,
        "project": job.project,
        "command": job.command,
        "directory": job.directory,
        "backend": job.backend,
        "user": job.user,
        "parent": job.parent,
        "server": None if job.server is None else plain(job.server),
        "isolation": None if job.isolation is None else plain(job.isolation),
        "switches": list(job.switches),
        "trigger": None if job.trigger is None else plain(job.trigger),
        "parameters": {
            item.name: {key: value for key, value in plain(item).items() if key != "name"}
            for item in job.parameters
        },
        "source": plain(job.source),
        "environment": plain(job.environment),
        "inputs": [plain(state) for state in (*job.inputs, *reads)],
        "host": plain(job.host),
        "recorded_variables": dict(job.variables),
        "tags": dict(job.tags),
        "mlproj": job.mlproj_version,
    }


def _with_logged(run: Run) -> dict[str, Any]:
    """What the script logged: its params and tags beside those that were given, the rest as it is."""
    logged = None if run.outcome is None else run.outcome.logged
    if logged is None:
        return {"logged": None}
    job = _job(run.job)
    gone = set(logged.untagged)
    tags = {**job.get("tags", {}), **dict(logged.tags)}
    return {
        "experiment": logged.experiment or job.get("experiment", DEFAULT_EXPERIMENT),
        "parameters": {
            **{key: {"value": text, "type": LOGGED, "origin": LOGGED} for key, text in logged.params},
            **job.get("parameters", {}),
        },
        "tags": {key: text for key, text in tags.items() if key not in gone},
        "logged": plain(logged),
    }


def _entry_point(entry: EntryPoint) -> dict[str, Any]:
    parameters = {
        parameter.name: {
            "type": parameter.declared_type,
            "default": parameter.default,
            "choices": list(parameter.choices),
            "secret": parameter.secret,
            "description": parameter.description,
        }
        for parameter in entry.parameters
    }
    return {
        "name": entry.name,
        "description": entry.description,
        "command": entry.command,
        "parameters": parameters,
        "inputs": list(entry.inputs),
        "outputs": list(entry.outputs),
        "metrics": list(entry.metrics),
        "timeout": entry.timeout,
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"outputs": [], "metrics": {}, "started": None, "ended": None, "usage": None}
    return {
        "outputs": [plain(output) for output in outcome.outputs],
        "metrics": outcome.latest,
        "started": outcome.started,
        "ended": outcome.ended,
        "usage": plain(outcome.usage),
        "logs": [plain(log) for log in outcome.logs],
        "notes": list(outcome.notes),
        "server_read": outcome.server_read,
        "tracing": None if outcome.tracing is None else plain(outcome.tracing),
    }
