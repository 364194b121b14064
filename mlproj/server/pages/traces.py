"""Traces: those of an experiment as a table, and one with its spans as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mlproj.errors import MlprojError, UsageError
from mlproj.model.moment import duration_ms
from mlproj.model.search import Comparison, Key, Kind, Operator, Order, Search
from mlproj.model.tracking import Page as Part
from mlproj.model.tracking import TrackedRun
from mlproj.server import places
from mlproj.server.pages.experiments import NOTE
from mlproj.server.pages.meant import names_of_runs
from mlproj.server.pages.runs import kept
from mlproj.server.pages.spans import text_of, tree
from mlproj.server.pages.visit import Answer, Page, Shown, Visit
from mlproj.server.routes.traces import RUN_METADATA, read_info
from mlproj.server.wire.assessments import Assessment
from mlproj.server.wire.traces import TraceInfo
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

NAME_TAG = "mlflow.traceName"
SPANS_FILE = "traces.json"
"""Where clients put the spans of a trace that do not send them to the server."""

_AT_ONCE = 50
_OF_RUN = 20
_MOST_SPANS = 1000
_LARGEST = 8 * 1024 * 1024
_SORTS = {"began": "timestamp_ms", "took": "execution_time_ms", "state": "status"}
_OF_CLIENTS = "mlflow."


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace in a line: its name, what was asked and answered, how it went, and the run that it is of."""

    id: str
    name: str
    asked: str
    answered: str
    state: str
    began: str | None
    took: float | None
    run_id: str | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody, or something, thinks of a trace."""

    name: str
    kind: str
    value: str
    why: str
    who: str


def show_traces(visit: Visit) -> Answer:
    experiment = visit.desk.tracking.experiments.get(visit.path["experiment_id"])
    found, token, fault = _found(visit, experiment.experiment_id)
    values = {
        "experiment": experiment,
        "note": dict(experiment.tags).get(NOTE, ""),
        "rows": found,
        "runs": names_of_runs(visit, experiment.experiment_id, {trace.run_id for trace in found}),
        "next": token,
        "fault": fault,
        "kept": kept(visit, ("filter", "sort", "down")),
    }
    return Shown(template="traces.html", values=values, status=400 if fault else 200)


def show_trace(visit: Visit) -> Answer:
    trace_id = visit.path["trace_id"]
    document, spans = visit.desk.tracking.traces.get(trace_id)
    info = read_info(document)
    trace = _trace(info)
    documents = _kept_spans(visit, trace_id) if spans is None else msgspec.json.decode(spans)
    branches = tree(documents, _MOST_SPANS)
    experiment_id = visit.desk.tracking.traces.experiment_of(trace_id)
    values = {
        "trace": trace,
        "experiment": visit.desk.tracking.experiments.get(experiment_id),
        "run": visit.seen(trace.run_id),
        "branches": branches,
        "more": max(0, len(documents) - len(branches)),
        "verdicts": [_verdict(each) for each in info.assessments if each.valid is not False],
        "facts": [
            pair for pair in sorted(info.trace_metadata.items()) if not pair[0].startswith(_OF_CLIENTS)
        ],
        "tags": [pair for pair in sorted(info.tags.items()) if not pair[0].startswith(_OF_CLIENTS)],
        "client_tags": [
            pair
            for pair in sorted({**info.trace_metadata, **info.tags}.items())
            if pair[0].startswith(_OF_CLIENTS)
        ],
    }
    return Shown(template="trace.html", values=values)


def of_run(visit: Visit, run: TrackedRun) -> Sequence[Trace]:
    """The newest traces that are of a run."""
    key = Key(kind=Kind.METADATA, name=RUN_METADATA)
    where = Comparison(key=key, operator=Operator.EQUAL, values=(run.run_id,))
    found, _ = visit.desk.tracking.traces.search(
        (run.experiment_id,), Search(where=where), Part(limit=_OF_RUN)
    )
    return [_trace(read_info(each)) for each in found]


def _found(visit: Visit, experiment_id: str) -> tuple[Sequence[Trace], str | None, UsageError | None]:
    """The traces, the token of the next ones, and what is wrong with the filter."""
    try:
        search = read_search(Subject.TRACES, visit.one("filter"))
        found, token = visit.desk.tracking.traces.search(
            (experiment_id,),
            msgspec.structs.replace(search, order=_order(visit)),
            Part(limit=_AT_ONCE, token=visit.one("page") or None),
        )
    except UsageError as error:
        return (), None, error
    return [_trace(read_info(each)) for each in found], token, None


def _order(visit: Visit) -> tuple[Order, ...]:
    name = _SORTS.get(visit.one("sort"))
    if name is None:
        return ()
    return (Order(key=Key(kind=Kind.ATTRIBUTE, name=name), descending=visit.one("down") == "1"),)


def _trace(info: TraceInfo) -> Trace:
    return Trace(
        id=info.trace_id,
        name=info.tags.get(NAME_TAG, "") or info.trace_id,
        asked=info.request_preview or info.trace_metadata.get("mlflow.traceInputs", ""),
        answered=info.response_preview or info.trace_metadata.get("mlflow.traceOutputs", ""),
        state=str(info.state or ""),
        began=info.request_time,
        took=duration_ms(info.execution_duration),
        run_id=info.tags.get(RUN_METADATA) or info.trace_metadata.get(RUN_METADATA),
    )


def _kept_spans(visit: Visit, trace_id: str) -> Sequence[Mapping[str, Any]]:
    """The spans that a client put among the trace's files; none where there are none that can be read."""
    stored = places.Place(kind="traces", name=trace_id, path=SPANS_FILE).stored
    try:
        if visit.desk.artifacts.size(stored) > _LARGEST:
            return ()
        told = msgspec.json.decode(b"".join(visit.desk.artifacts.read(stored)))
    except (MlprojError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ()
    spans = told.get("spans") if isinstance(told, dict) else None
    return [each for each in spans if isinstance(each, dict)] if isinstance(spans, list) else ()


def _verdict(told: Assessment) -> Verdict:
    kind = next(iter(told.kinds), "")
    value = (getattr(told, kind) or {}).get("value") if kind else None
    source = told.source or {}
    return Verdict(
        name=told.assessment_name,
        kind=kind,
        value=text_of(value if value is not None else (told.error or {}).get("error_message", "")),
        why=told.rationale,
        who=str(source.get("source_id") or source.get("source_type") or ""),
    )


PAGES = (
    Page(path="/experiments/{experiment_id}/traces", act=show_traces),
    Page(path="/traces/{trace_id}", act=show_trace),
)
