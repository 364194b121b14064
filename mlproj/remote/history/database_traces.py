"""Traces in a database of MLflow's, with what was said of them, and their spans where those are in it too."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from mlproj.errors import DataError
from mlproj.model.moment import timestamp
from mlproj.moving_ports import ForeignTrace
from mlproj.remote.history.database_rows import Rows
from mlproj.remote.history.spans import span_of
from mlproj.remote.history.trace_info import LOCATION, duration, info_of

_AT_ONCE = 200
_SESSION, _TOKENS, _COST, _NAME = (
    "mlflow.trace.session",
    "mlflow.trace.tokenUsage",
    "mlflow.trace.cost",
    "mlflow.traceName",
)
_TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
)
_COST_COLUMNS = ("input_cost", "output_cost", "total_cost")
"""Columns of later versions, which are metadata to every client."""


def traces_in(rows: Rows, experiment: int, unread: list[str]) -> Iterator[ForeignTrace]:
    """The traces of an experiment, as they began; what of them cannot be read is told to `unread`."""
    order = ("timestamp_ms", "request_id")
    found = rows.all("trace_info", order=order, experiment_id=experiment)
    while some := list(itertools.islice(found, _AT_ONCE)):
        yield from _told(rows, some, unread)


def _told(rows: Rows, found: Sequence[dict[str, Any]], unread: list[str]) -> Iterator[ForeignTrace]:
    ids = [row["request_id"] for row in found]
    tags = rows.pairs("trace_tags", "request_id", request_id=ids)
    metadata = rows.pairs("trace_request_metadata", "request_id", request_id=ids)
    spans: dict[str, list[dict[str, Any]]] = {}
    for row in rows.all("spans", order=("trace_id", "start_time_unix_nano"), trace_id=ids):
        if row["content"]:
            try:
                spans.setdefault(row["trace_id"], []).append(span_of(row["content"]))
            except DataError as error:
                unread.append(f"{error.message}, in trace {row['trace_id']}")
    said: dict[str, list[dict[str, Any]]] = {}
    for row in rows.all("assessments", order=("trace_id", "created_timestamp"), trace_id=ids):
        said.setdefault(row["trace_id"], []).append(_assessment(row))
    for row in found:
        trace_id = row["request_id"]
        named = dict(tags.get(trace_id, ()))
        if row.get("trace_name") is not None:
            named[_NAME] = row["trace_name"]
        info = info_of(
            trace_id,
            request_time=timestamp(row["timestamp_ms"] / 1000),
            execution_duration=duration(row.get("execution_time_ms")),
            state=row["status"],
            client_request_id=row.get("client_request_id"),
            request_preview=row.get("request_preview"),
            response_preview=row.get("response_preview"),
            trace_metadata={**dict(metadata.get(trace_id, ())), **_promoted(row)},
            tags=named,
            assessments=said.get(trace_id, []),
        )
        yield ForeignTrace(
            trace_id=trace_id, info=info, spans=spans.get(trace_id), artifact_uri=named.get(LOCATION)
        )


def _promoted(row: dict[str, Any]) -> dict[str, str]:
    """The metadata that a later version keeps in columns of their own."""
    metadata = {} if row.get("session_id") is None else {_SESSION: str(row["session_id"])}
    for key, columns in ((_TOKENS, _TOKEN_COLUMNS), (_COST, _COST_COLUMNS)):
        if values := {name: row[name] for name in columns if row.get(name) is not None}:
            metadata[key] = json.dumps(values)
    return metadata


def _assessment(row: dict[str, Any]) -> dict[str, Any]:
    """What somebody said of a trace, as the protocol has it."""
    value = json.loads(row["value"])
    told: dict[str, Any] = {
        "assessment_id": row["assessment_id"],
        "assessment_name": row["name"],
        "trace_id": row["trace_id"],
        "source": {"source_type": row["source_type"], "source_id": row.get("source_id") or ""},
        "create_time": timestamp(row["created_timestamp"] / 1000),
        "last_update_time": timestamp(row["last_updated_timestamp"] / 1000),
        "valid": bool(row["valid"]),
    }
    match row["assessment_type"]:
        case "expectation" if value is not None and not isinstance(value, (bool, int, float, str)):
            told["expectation"] = {
                "serialized_value": {"serialization_format": "JSON_FORMAT", "value": json.dumps(value)}
            }
        case "issue":
            told["issue"] = value
        case kind:
            told[kind] = {"value": value}
    if row.get("error"):
        told.setdefault("feedback", {})["error"] = json.loads(row["error"])
    for name in ("span_id", "rationale", "overrides"):
        if row.get(name):
            told[name] = row[name]
    if row.get("assessment_metadata"):
        told["metadata"] = {key: str(text) for key, text in json.loads(row["assessment_metadata"]).items()}
    return told
