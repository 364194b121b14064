"""Traces of MLflow 2's clients, which begin and end a trace by calls, and upload its spans as an artifact.

They are kept as those of MLflow 3 are, so that either line of clients finds what the other logged.
"""

from __future__ import annotations

import uuid

import msgspec
from msgspec.structs import replace

from mlproj.model.tracking import Page
from mlproj.server import limits
from mlproj.server.desk import Desk
from mlproj.server.route import TRACKING, Route, get, patch, post
from mlproj.server.routes.traces import MOST, cut_tags, read_info, with_place
from mlproj.server.wire.traces import TraceInfo, TraceRequest
from mlproj.server.wire.traces_v2 import (
    EndTraceV2,
    OneTraceV2,
    SearchTracesV2,
    StartTraceV2,
    TracesV2,
    begun,
    ended,
    told,
)
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject


def start(desk: Desk, asked: StartTraceV2) -> OneTraceV2:
    info = begun(asked, uuid.uuid4().hex)
    info = replace(info, tags=with_place(cut_tags(info.tags), asked.experiment_id, info.trace_id))
    desk.grant.made("trace", info.trace_id)
    desk.tracking.traces.add(info.trace_id, asked.experiment_id, msgspec.json.encode(info))
    return _fetched(desk, info.trace_id)


def end(desk: Desk, asked: EndTraceV2) -> OneTraceV2:
    desk.write_trace(asked.trace_id)

    def change(document: bytes) -> bytes:
        info = ended(read_info(document), asked)
        return msgspec.json.encode(replace(info, tags=cut_tags(info.tags)))

    desk.tracking.traces.update(asked.trace_id, change)
    return _fetched(desk, asked.trace_id)


def fetch_info(desk: Desk, asked: TraceRequest) -> OneTraceV2:
    return _fetched(desk, asked.trace_id)


def search(desk: Desk, asked: SearchTracesV2) -> TracesV2:
    found, token = desk.tracking.traces.search(
        asked.experiment_ids,
        read_search(Subject.TRACES, asked.filter, asked.order_by),
        Page(limit=limits.results(asked.max_results, MOST), token=asked.page_token or None),
    )
    return TracesV2(traces=tuple(told(read_info(each)) for each in found), next_page_token=token)


def _fetched(desk: Desk, trace_id: str) -> OneTraceV2:
    info: TraceInfo = read_info(desk.tracking.traces.get(trace_id)[0])
    return OneTraceV2(trace_info=told(info))


ROUTES: tuple[Route, ...] = (
    post("traces", StartTraceV2, OneTraceV2, start, below=TRACKING),
    get("traces", SearchTracesV2, TracesV2, search, below=TRACKING),
    patch("traces/{trace_id}", EndTraceV2, OneTraceV2, end, below=TRACKING),
    get("traces/{trace_id}/info", TraceRequest, OneTraceV2, fetch_info, below=TRACKING),
)
