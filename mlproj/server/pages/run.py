"""A run as a person reads it: how it goes, what it was given, what it logged, left and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mlproj.errors import NotFound, StoreError
from mlproj.model.registry import ModelVersion
from mlproj.model.run import STREAMS, Output, Run, ShownParameter
from mlproj.model.search import Comparison, Key, Kind, Operator, Search
from mlproj.model.tracking import PARENT, LoggedModel, MetricSummary, RunStatus, TrackedRun
from mlproj.model.tracking import Page as Part
from mlproj.server import places
from mlproj.server.pages import output
from mlproj.server.pages.columns import OF_CLIENTS, OF_THE_MACHINE
from mlproj.server.pages.experiments import NOTE
from mlproj.server.pages.files import LOGGED, listed
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.store_ports import Condition, RunQuery

VERDICT = "reproduction"
"""The kind of the amendment in which a run's record keeps to which other run it is a reproduction."""

MODELS = "models/"
"""Begins, on the record, the paths of the files of logged models."""

_MOST = 50
_CHARTS = 12
"""So many curves are drawn at first."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of doing a run again: the run that did, the one it is of, and the grade if one was given."""

    run_id: str
    name: str
    of: str
    grade: str | None
    time: str


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream; `begin` is where it begins."""

    stream: str
    text: str
    begin: int
    next: int


def show(visit: Visit) -> Answer:
    run = visit.run(visit.path["run_id"])
    record = visit.record(run.run_id)
    values = {**_live(visit, run), "record": record}
    if visit.one("part") == "live":
        return Shown(template="run_live.html", values=values)
    tags = dict(run.tags)
    values |= {
        "experiment": visit.desk.tracking.experiments.get(run.experiment_id),
        "note": tags.get(NOTE, ""),
        "tags": tuple((key, value) for key, value in run.tags if not key.startswith(OF_CLIENTS)),
        "client_tags": tuple((key, value) for key, value in run.tags if key.startswith(OF_CLIENTS)),
        "parameters": _parameters(run, record),
        "files": listed(visit, places.Place(kind="runs", name=run.run_id)),
        "outputs": _outputs(record),
        "logs": () if record is None else _logs(visit, record),
        "printed": record is not None and record.job is not None,
        "models": _models(visit, run),
        "versions": _versions(visit, run),
        "parent": _seen(visit, tags.get(PARENT)),
        "children": _children(visit, run),
        "verdicts": () if record is None else _verdicts(visit, record),
        "clean": None if record is None else _clean(visit, record),
    }
    return Shown(template="run.html", values=values)


def _live(visit: Visit, run: TrackedRun) -> Mapping[str, Any]:
    """What changes while a run goes on."""
    summaries = visit.desk.tracking.runs.summaries(run.run_id)
    own = [each for each in summaries if not each.latest.key.startswith(OF_THE_MACHINE)]
    of_machine = [each for each in summaries if each.latest.key.startswith(OF_THE_MACHINE)]
    return {
        "run": run,
        "summaries": own,
        "of_machine": of_machine,
        "charts": _charts(own),
        "going": run.status is RunStatus.RUNNING,
    }


def _charts(summaries: Sequence[MetricSummary]) -> Sequence[str]:
    return [each.latest.key for each in summaries if each.count > 1][:_CHARTS]


def _parameters(run: TrackedRun, record: Run | None) -> Sequence[ShownParameter]:
    """Those that were planned, with where their values came from, then those that the script logged."""
    planned = () if record is None or record.job is None else record.job.parameters
    known = {item.name for item in planned}
    logged = (
        ShownParameter(name=key, value=value, type="logged", origin="script")
        for key, value in run.params
        if key not in known
    )
    return (*planned, *logged)


def _outputs(record: Run | None) -> Sequence[Output]:
    """What the record holds beside files that were logged, which are listed anyhow."""
    outputs = () if record is None or record.outcome is None else record.outcome.outputs
    return [each for each in outputs if not each.path.startswith((LOGGED, MODELS))]


def _logs(visit: Visit, record: Run) -> Sequence[Log]:
    logs = []
    for stream in STREAMS:
        try:
            size = output.length(visit, record, stream)
            end = output.last(visit, record, stream)
        except (StoreError, OSError):
            continue
        if size or record.outcome is None:
            begin = max(0, size - output.TAIL)
            logs.append(Log(stream=stream, text=end.text, begin=begin, next=end.next))
    return logs


def _models(visit: Visit, run: TrackedRun) -> Sequence[tuple[str, LoggedModel]]:
    named = [("made", item.model_id) for item in run.model_outputs]
    named += [("read", model_id) for model_id in run.model_inputs]
    found = []
    for role, model_id in named[:_MOST]:
        try:
            found.append((role, visit.desk.tracking.models.get(model_id)))
        except NotFound:
            continue
    return found


def _versions(visit: Visit, run: TrackedRun) -> Sequence[ModelVersion]:
    key = Key(kind=Kind.ATTRIBUTE, name="run_id")
    where = Comparison(key=key, operator=Operator.EQUAL, values=(run.run_id,))
    found, _ = visit.desk.tracking.registry.search_versions(Search(where=where), Part(limit=_MOST))
    return found


def _children(visit: Visit, run: TrackedRun) -> Sequence[TrackedRun]:
    key = Key(kind=Kind.TAG, name=PARENT)
    where = Comparison(key=key, operator=Operator.EQUAL, values=(run.run_id,))
    found, _ = visit.desk.tracking.runs.search((run.experiment_id,), Search(where=where), Part(limit=_MOST))
    return found


def _seen(visit: Visit, run_id: str | None) -> TrackedRun | None:
    """A run that another names, where the caller may see it."""
    try:
        return None if run_id is None else visit.run(run_id)
    except NotFound:
        return None


def _verdicts(visit: Visit, record: Run) -> Sequence[Verdict]:
    """What is known of how this run was done again, and of what it is itself a reproduction."""
    assert visit.desk.store is not None
    query = RunQuery(
        conditions=(Condition(field="reproduces", operator="=", value=record.run_id),), limit=_MOST
    )
    again = [each for each in visit.desk.store.search(query) if _seen(visit, each.run_id) is not None]
    found = [verdict for each in (record, *again) for verdict in _told(each)]
    return [verdict for verdict in found if _seen(visit, verdict.of) is not None]


def _clean(visit: Visit, record: Run) -> Run | None:
    """The last run of the commit that this one's source was changed from, as it had been committed: the two
    compared are the patch. None where the source is as its commit, or nobody ran that."""
    assert visit.desk.store is not None
    source = None if record.job is None else record.job.source
    if source is None or source.commit is None or not source.dirty:
        return None
    of_commit = Condition(field="commit", operator="=", value=source.commit)
    as_committed = Condition(field="dirty", operator="=", value="false")
    found = visit.desk.store.search(RunQuery(conditions=(of_commit, as_committed), limit=_MOST))
    return next((each for each in found if _seen(visit, each.run_id) is not None), None)


def _told(run: Run) -> Sequence[Verdict]:
    graded = [
        Verdict(
            run_id=run.run_id,
            name=run.name,
            of=item.content.get("of", ""),
            grade=item.content.get("verdict"),
            time=item.time,
        )
        for item in run.amendments
        if item.kind == VERDICT
    ]
    if graded or run.reproduces is None:
        return graded
    return [Verdict(run_id=run.run_id, name=run.name, of=run.reproduces, grade=None, time=run.created)]


PAGES = (Page(path="/runs/{run_id}", act=show),)
