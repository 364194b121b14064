"""Traces on the wire. The info is kept as the document that it came in; spans are never looked into."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mlproj.server.wire.assessments import Assessment
from mlproj.server.wire.values import Answer, EnumValue, Int32, Int64, Named, Request

IN_EXPERIMENT = "MLFLOW_EXPERIMENT"
"""The type of a place that is an experiment, which clients want to be told."""


class ExperimentLocation(Request, frozen=True, kw_only=True):
    experiment_id: Named


class TraceLocation(Request, frozen=True, kw_only=True, omit_defaults=True):
    type: EnumValue | None = None
    mlflow_experiment: ExperimentLocation | None = None


class TraceInfo(Request, frozen=True, kw_only=True, omit_defaults=True):
    trace_id: Named
    client_request_id: str | None = None
    trace_location: TraceLocation
    request_time: str | None = None
    execution_duration: str | None = None
    state: EnumValue | None = None
    trace_metadata: dict[str, str] = msgspec.field(default_factory=dict)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    request_preview: str | None = None
    response_preview: str | None = None
    assessments: tuple[Assessment, ...] = ()


class GivenTrace(Request, frozen=True, kw_only=True):
    trace_info: TraceInfo


class StartTrace(Request, frozen=True, kw_only=True):
    trace: GivenTrace


class TraceRequest(Request, frozen=True, kw_only=True):
    trace_id: Named


class GetTrace(Request, frozen=True, kw_only=True):
    trace_id: Named
    allow_partial: bool = False


class GetTraces(Request, frozen=True, kw_only=True):
    trace_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=1000)]
    experiment_ids: tuple[str, ...] = ()


class SearchTraces(Request, frozen=True, kw_only=True):
    locations: Annotated[tuple[TraceLocation, ...], Meta(min_length=1)]
    filter: str = ""
    max_results: Int32 = 100
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class SetTraceTag(TraceRequest, frozen=True, kw_only=True):
    key: Named
    value: str = ""


class DeleteTraceTag(TraceRequest, frozen=True, kw_only=True):
    key: Named


class DeleteTraces(Request, frozen=True, kw_only=True):
    experiment_id: Named
    max_timestamp_millis: Int64 | None = None
    max_traces: Int32 | None = None
    request_ids: tuple[str, ...] = ()


class LinkTraces(Request, frozen=True, kw_only=True):
    trace_ids: Annotated[tuple[str, ...], Meta(max_length=100)]
    run_id: Named


class ToldTrace(Answer, frozen=True, kw_only=True):
    trace_info: TraceInfo
    # None where no spans have come.
    spans: list[dict[str, Any]] | None = None


class OneTrace(Answer, frozen=True, kw_only=True):
    trace: ToldTrace


class Traces(Answer, frozen=True, kw_only=True):
    traces: tuple[ToldTrace, ...] = ()


class TraceInfos(Answer, frozen=True, kw_only=True):
    """As a search tells them."""

    traces: tuple[TraceInfo, ...] = ()
    next_page_token: str | None = None


class SomeTraceInfos(Answer, frozen=True, kw_only=True):
    trace_infos: tuple[TraceInfo, ...] = ()


class TracesDeleted(Answer, frozen=True, kw_only=True):
    traces_deleted: int
