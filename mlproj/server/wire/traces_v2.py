"""Traces as MLflow 2's clients send and read them, to and from the document that is kept."""

from __future__ import annotations

import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from mlproj.model.moment import LAST_MOMENT, duration_ms, duration_text, epoch_ms, timestamp
from mlproj.server.failures import invalid
from mlproj.server.wire.traces import IN_EXPERIMENT, ExperimentLocation, TraceInfo, TraceLocation
from mlproj.server.wire.values import (
    Answer,
    EnumValue,
    Int32,
    Int64,
    Named,
    Pair,
    Request,
    ToldPair,
    pairs,
    told_pairs,
)

_UNSPECIFIED = "TRACE_STATUS_UNSPECIFIED"
_STATES = ("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")
"""As documents have them; their places are the numbers that both versions know them by."""


class StartTraceV2(Request, frozen=True, kw_only=True):
    experiment_id: Named
    timestamp_ms: Int64 = 0
    request_metadata: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class EndTraceV2(Request, frozen=True, kw_only=True):
    """`timestamp_ms` is when it ended."""

    trace_id: Named
    timestamp_ms: Int64 = 0
    status: EnumValue = _UNSPECIFIED
    request_metadata: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class SearchTracesV2(Request, frozen=True, kw_only=True):
    experiment_ids: Annotated[tuple[str, ...], Meta(min_length=1)]
    filter: str = ""
    max_results: Int32 = 100
    order_by: tuple[str, ...] = ()
    page_token: str | None = None


class TraceInfoV2(Answer, frozen=True, kw_only=True):
    request_id: str
    experiment_id: str
    timestamp_ms: int
    execution_time_ms: int
    status: str
    request_metadata: tuple[ToldPair, ...] = ()
    tags: tuple[ToldPair, ...] = ()


class OneTraceV2(Answer, frozen=True, kw_only=True):
    trace_info: TraceInfoV2


class TracesV2(Answer, frozen=True, kw_only=True):
    traces: tuple[TraceInfoV2, ...] = ()
    next_page_token: str | None = None


def begun(asked: StartTraceV2, trace_id: str) -> TraceInfo:
    """The document of a trace that begins."""
    if not 0 <= asked.timestamp_ms <= LAST_MOMENT:
        raise invalid(f"Invalid value {asked.timestamp_ms} for parameter 'timestamp_ms' supplied.")
    place = ExperimentLocation(experiment_id=asked.experiment_id)
    return TraceInfo(
        trace_id=trace_id,
        trace_location=TraceLocation(type=IN_EXPERIMENT, mlflow_experiment=place),
        request_time=timestamp(asked.timestamp_ms / 1000),
        state="IN_PROGRESS",
        trace_metadata=dict(pairs(asked.request_metadata)),
        tags=dict(pairs(asked.tags)),
    )


def ended(info: TraceInfo, asked: EndTraceV2) -> TraceInfo:
    """The document of a trace that has ended, its metadata and tags added to."""
    took = info.execution_duration
    if info.request_time is not None:
        took = duration_text(asked.timestamp_ms - _began(info))
    return msgspec.structs.replace(
        info,
        execution_duration=took,
        state=_state(asked.status),
        trace_metadata={**info.trace_metadata, **dict(pairs(asked.request_metadata))},
        tags={**info.tags, **dict(pairs(asked.tags))},
    )


def told(info: TraceInfo) -> TraceInfoV2:
    place = info.trace_location.mlflow_experiment
    state = str(info.state or _STATES[0])
    return TraceInfoV2(
        request_id=info.trace_id,
        experiment_id="" if place is None else place.experiment_id,
        timestamp_ms=_began(info),
        execution_time_ms=duration_ms(info.execution_duration) or 0,
        status=_UNSPECIFIED if state == _STATES[0] else state,
        request_metadata=told_pairs(tuple(sorted(info.trace_metadata.items()))),
        tags=told_pairs(tuple(sorted(info.tags.items()))),
    )


def _began(info: TraceInfo) -> int:
    try:
        return epoch_ms(msgspec.convert(info.request_time, datetime.datetime))
    except msgspec.ValidationError:
        return 0


def _state(status: EnumValue) -> str:
    names = {_UNSPECIFIED: _STATES[0], **{str(number): state for number, state in enumerate(_STATES)}}
    state = names.get(str(status), str(status))
    if state not in _STATES:
        raise invalid(f"Invalid value '{status}' for parameter 'status' supplied.")
    return state
