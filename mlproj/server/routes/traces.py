"""Traces: what a script's calls did, as MLflow 3 sends, finds and reads them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mlproj.errors import NotFound
from mlproj.model.tracking import Page
from mlproj.server import limits, otlp, places
from mlproj.server.desk import Desk
from mlproj.server.failures import invalid
from mlproj.server.route import TRACES, TRACKING, Route, delete, get, patch, post
from mlproj.server.wire.assessments import Assessment
from mlproj.server.wire.traces import (
    IN_EXPERIMENT,
    DeleteTraces,
    DeleteTraceTag,
    GetTrace,
    GetTraces,
    LinkTraces,
    OneTrace,
    SearchTraces,
    SetTraceTag,
    SomeTraceInfos,
    StartTrace,
    ToldTrace,
    TraceInfo,
    TraceInfos,
    TraceRequest,
    Traces,
    TracesDeleted,
)
from mlproj.server.wire.values import Empty
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject

MOST = 500
ARTIFACTS_TAG = "mlflow.artifactLocation"
SPANS_TAG = "mlflow.trace.spansLocation"
RUN_METADATA = "mlflow.sourceRun"
_SYSTEM_TAGS = frozenset({SPANS_TAG, "mlflow.trace.archiveLocation", "mlflow.trace.archivalFailure"})
_ID_LENGTH = 128


def start(desk: Desk, asked: StartTrace) -> OneTrace:
    given = asked.trace.trace_info
    _may_add(desk, given.trace_id)
    if given.trace_location.mlflow_experiment is None:
        raise invalid("A trace is logged to an experiment.")
    experiment_id = given.trace_location.mlflow_experiment.experiment_id
    assessments = tuple(_with_id(each, given.trace_id) for each in given.assessments)
    tags = with_place(cut_tags(given.tags), experiment_id, given.trace_id)
    location = replace(given.trace_location, type=given.trace_location.type or IN_EXPERIMENT)
    info = replace(given, trace_location=location, tags=tags, assessments=assessments)
    desk.tracking.traces.add(info.trace_id, experiment_id, msgspec.json.encode(info))
    # Spans that came before it have left a tag, which keeps the client from sending them again.
    return fetch_info(desk, TraceRequest(trace_id=info.trace_id))


def fetch_info(desk: Desk, asked: TraceRequest) -> OneTrace:
    info, _ = desk.tracking.traces.get(asked.trace_id)
    return OneTrace(trace=ToldTrace(trace_info=read_info(info)))


def fetch(desk: Desk, asked: GetTrace) -> OneTrace:
    return OneTrace(trace=_whole(desk, asked.trace_id))


def fetch_many(desk: Desk, asked: GetTraces) -> Traces:
    return Traces(traces=tuple(_known(desk, asked)))


def fetch_infos(desk: Desk, asked: GetTraces) -> SomeTraceInfos:
    return SomeTraceInfos(trace_infos=tuple(each.trace_info for each in _known(desk, asked)))


def search(desk: Desk, asked: SearchTraces) -> TraceInfos:
    experiment_ids = tuple(
        location.mlflow_experiment.experiment_id
        for location in asked.locations
        if location.mlflow_experiment is not None
    )
    found, token = desk.tracking.traces.search(
        experiment_ids,
        read_search(Subject.TRACES, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
    )
    return TraceInfos(traces=tuple(map(read_info, found)), next_page_token=token)


def set_tag(desk: Desk, asked: SetTraceTag) -> Empty:
    desk.write_trace(asked.trace_id)
    _own_tag(asked.key)
    desk.tracking.traces.set_tag(asked.trace_id, asked.key, asked.value[: limits.TRACE_TAG_VALUE])
    return Empty()


def delete_tag(desk: Desk, asked: DeleteTraceTag) -> Empty:
    desk.write_trace(asked.trace_id)
    _own_tag(asked.key)
    desk.tracking.traces.delete_tag(asked.trace_id, asked.key)
    return Empty()


def remove(desk: Desk, asked: DeleteTraces) -> TracesDeleted:
    """By their ids, or those that began until a moment, the oldest first."""
    until, most = asked.max_timestamp_millis, asked.max_traces
    if bool(until) == bool(asked.request_ids):
        raise invalid("Either `max_timestamp_millis` or `request_ids` must be specified, but not both.")
    if most is not None and (asked.request_ids or most <= 0):
        raise invalid(
            "`max_traces` must be a positive integer, and can't be specified if `request_ids` is specified."
        )
    named = asked.request_ids or tuple(_until(desk, asked.experiment_id, until or 0, most))
    for trace_id in named:
        desk.write_trace(trace_id)
    return TracesDeleted(traces_deleted=desk.tracking.traces.delete(asked.experiment_id, named))


def _until(desk: Desk, experiment_id: str, moment: int, most: int | None) -> Sequence[str]:
    """The traces of an experiment that began until a moment, as many as `most` allows."""
    search = read_search(Subject.TRACES, f"timestamp_ms <= {moment}", ("timestamp_ms ASC",))
    names: list[str] = []
    page: Page | None = Page(limit=MOST)
    while page is not None and (most is None or len(names) < most):
        some, token = desk.tracking.traces.search((experiment_id,), search, page)
        names += [read_info(each).trace_id for each in some]
        page = None if token is None else Page(limit=MOST, token=token)
    return names[:most]


def link(desk: Desk, asked: LinkTraces) -> Empty:
    """A trace's own metadata names its run already; this is for those that were logged outside of one."""
    desk.write_run(asked.run_id)
    for trace_id in asked.trace_ids:
        desk.tracking.traces.set_tag(trace_id, RUN_METADATA, asked.run_id)
    return Empty()


def add_spans(desk: Desk, experiment_id: str, found: dict[str, list[otlp.Span]]) -> None:
    for trace_id, spans in found.items():
        _may_add(desk, trace_id)
        desk.tracking.traces.add_spans(trace_id, experiment_id, msgspec.json.encode(spans))


def _may_add(desk: Desk, trace_id: str) -> None:
    """A new trace may be added by anyone, and one that is there by whoever made it."""
    limits.length("trace_id", trace_id, _ID_LENGTH)
    try:
        desk.write_trace(trace_id)
    except NotFound:
        # Before it is there: clients send the two halves of a trace at once.
        desk.grant.made("trace", trace_id)


def cut_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Of values that are too long the beginning. Raises Failure for a key that cannot be one."""
    for key in tags:
        limits.key("key", key)
    return {key: value[: limits.TRACE_TAG_VALUE] for key, value in tags.items()}


def with_place(tags: Mapping[str, str], experiment_id: str, trace_id: str) -> dict[str, str]:
    """With the place where a client puts the trace's files: attachments, and the spans of MLflow 2."""
    return {**tags, ARTIFACTS_TAG: places.uri(places.of_trace(experiment_id, trace_id))}


def _with_id(assessment: Assessment, trace_id: str) -> Assessment:
    return replace(
        assessment,
        assessment_id=assessment.assessment_id or f"a-{uuid.uuid4().hex}",
        trace_id=trace_id,
        valid=assessment.valid is not False,
    )


def _known(desk: Desk, asked: GetTraces) -> Iterator[ToldTrace]:
    """Those that are there; ids of others are passed over, as MLflow does."""
    for trace_id in asked.trace_ids:
        try:
            yield _whole(desk, trace_id)
        except NotFound:
            continue


def _whole(desk: Desk, trace_id: str) -> ToldTrace:
    info, spans = desk.tracking.traces.get(trace_id)
    return ToldTrace(trace_info=read_info(info), spans=None if spans is None else _in_order(spans))


def _in_order(spans: bytes) -> list[dict[str, Any]]:
    """As they began; they were sent as they ended."""
    found: list[dict[str, Any]] = msgspec.json.decode(spans)
    return sorted(found, key=lambda span: int(span.get("start_time_unix_nano", 0)))


def read_info(document: bytes) -> TraceInfo:
    return msgspec.json.decode(document, type=TraceInfo)


def _own_tag(key: str) -> None:
    limits.key("key", key)
    if key in _SYSTEM_TAGS:
        raise invalid(f"Tag '{key}' is immutable and cannot be set or deleted on a trace.")


ROUTES: tuple[Route, ...] = (
    post("traces", StartTrace, OneTrace, start, below=TRACES),
    post("traces/search", SearchTraces, TraceInfos, search, below=TRACES),
    get("traces/get", GetTrace, OneTrace, fetch, below=TRACES),
    get("traces/batchGet", GetTraces, Traces, fetch_many, below=TRACES),
    post("traces/batchGetInfos", GetTraces, SomeTraceInfos, fetch_infos, below=TRACES),
    post("traces/delete-traces", DeleteTraces, TracesDeleted, remove, below=TRACES),
    get("traces/{trace_id}", TraceRequest, OneTrace, fetch_info, below=TRACES),
    patch("traces/{trace_id}/tags", SetTraceTag, Empty, set_tag, below=TRACES),
    delete("traces/{trace_id}/tags", DeleteTraceTag, Empty, delete_tag, below=TRACES),
    post("traces/delete-traces", DeleteTraces, TracesDeleted, remove, below=TRACKING),
    post("traces/link-to-run", LinkTraces, Empty, link, below=TRACKING),
    patch("traces/{trace_id}/tags", SetTraceTag, Empty, set_tag, below=TRACKING),
    delete("traces/{trace_id}/tags", DeleteTraceTag, Empty, delete_tag, below=TRACKING),
)
