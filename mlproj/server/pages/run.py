"""A run as a person reads it: how it goes, what it was given, what it logged, left and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mlproj.errors import Altered, NotFound, StoreError
from mlproj.model.registry import ModelVersion
from mlproj.model.run import ARTIFACTS, STREAMS, Run, ShownParameter
from mlproj.model.search import Comparison, Key, Kind, Operator, Search
from mlproj.model.tracking import LoggedModel, MetricSummary, RunStatus, TrackedRun
from mlproj.model.tracking import Page as Part
from mlproj.server import places
from mlproj.server.outputs import outputs_of
from mlproj.server.pages import output
from mlproj.server.pages.columns import OF_CLIENTS, OF_THE_MACHINE, details
from mlproj.server.pages.experiments import NOTE
from mlproj.server.pages.family import among, ancestors
from mlproj.server.pages.files import listed
from mlproj.server.pages.meant import meant
from mlproj.server.pages.registering import candidates
from mlproj.server.pages.runs import experiments_of
from mlproj.server.pages.traces import of_run
from mlproj.server.pages.verdicts import clean, verdicts
from mlproj.server.pages.visit import Answer, Page, Shown, Visit

_MOST = 50
_CHARTS = 12
"""So many curves are drawn at first."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a stream; `begin` is where it begins."""

    stream: str
    text: str
    begin: int
    next: int


def show(visit: Visit) -> Answer:
    run = visit.seen(visit.path["run_id"])
    if run is None:
        return meant(visit, visit.path["run_id"])
    try:
        record, altered = visit.record(run.run_id), None
    except Altered as error:
        record, altered = None, error.message
    values = {**_live(visit, run), "record": record, "altered": altered}
    if visit.one("part") == "live":
        return Shown(template="run_live.html", values=values)
    tags, models = dict(run.tags), _models(visit, run)
    files = _logged(visit, run, record)
    values |= {
        "experiment": visit.desk.tracking.experiments.get(run.experiment_id),
        "note": tags.get(NOTE, ""),
        "tags": tuple((key, value) for key, value in run.tags if not key.startswith(OF_CLIENTS)),
        "client_tags": tuple((key, value) for key, value in run.tags if key.startswith(OF_CLIENTS)),
        "parameters": _parameters(run, record),
        "files": files,
        "outputs": outputs_of(record),
        "logs": () if record is None else _logs(visit, record),
        "printed": record is not None and record.job is not None,
        "models": models,
        "versions": _versions(visit, run),
        **_relatives(visit, run),
        "traces": of_run(visit, run),
        "candidates": candidates(visit, run, record, models, files),
        "verdicts": () if record is None else verdicts(visit, record),
        "clean": None if record is None else clean(visit, record),
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


def _logged(visit: Visit, run: TrackedRun, record: Run | None) -> Sequence[tuple[str, bool, int]]:
    """What lies among the artifacts of a run, but for outputs that only have their addresses there."""
    found = listed(visit, places.Place(kind="runs", name=run.run_id))
    outputs = () if record is None or record.outcome is None else record.outcome.outputs
    logged = {
        each.path.removeprefix(ARTIFACTS).partition("/")[0]
        for each in outputs
        if each.path.startswith(ARTIFACTS)
    }
    beside = {each.path.partition("/")[0] for each in outputs_of(record)} - logged
    return [each for each in found if each[0] not in beside]


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


def _relatives(visit: Visit, run: TrackedRun) -> Mapping[str, Any]:
    """The runs that began it, the first one first, and those that it began, in whatever experiment."""
    experiments = experiments_of(visit)
    below = among(visit, [each.experiment_id for each in experiments], (run,))
    return {
        "ancestors": ancestors(visit, run),
        "below": tuple((member, details(member.run)) for member in below.members[1:]),
        "below_cut": below.cut,
        "names": {each.experiment_id: each.name for each in experiments},
    }


PAGES = (Page(path="/runs/{run_id}", act=show),)
