"""Spans as OpenTelemetry's exporters send them, in either encoding, made into what MLflow's clients read."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from mlproj.server import protobuf
from mlproj.server.failures import invalid
from mlproj.server.protobuf import (
    binary,
    boolean,
    double,
    fixed32,
    fixed64,
    integer,
    message,
    messages,
    one_of,
    text,
)
from mlproj.server.reading import refuse_crowded

Span = dict[str, Any]

MOST = 32 * 1024 * 1024
"""Bytes of one request, once it is unpacked."""

_TRACE_ID = "mlflow.traceRequestId"
_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATES = ("UNSET", "OK", "ERROR")
_CAMEL = re.compile(r"(?<=[a-z])([A-Z])")
_IDS = ("trace_id", "span_id", "parent_span_id")
_NANOSECONDS = ("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "int_value")

_ATTRIBUTES = messages("attributes", "KeyValue")
_MESSAGES: protobuf.Messages = {
    "Request": {1: messages("resource_spans", "ResourceSpans")},
    "ResourceSpans": {2: messages("scope_spans", "ScopeSpans")},
    "ScopeSpans": {2: messages("spans", "Span")},
    "Span": {
        1: binary("trace_id"),
        2: binary("span_id"),
        3: text("trace_state"),
        4: binary("parent_span_id"),
        16: fixed32("flags"),
        5: text("name"),
        6: one_of("kind", *(f"SPAN_KIND_{kind}" for kind in _KINDS)),
        7: fixed64("start_time_unix_nano"),
        8: fixed64("end_time_unix_nano"),
        9: _ATTRIBUTES,
        11: messages("events", "Event"),
        13: messages("links", "Link"),
        15: message("status", "Status"),
    },
    "Event": {1: fixed64("time_unix_nano"), 2: text("name"), 3: _ATTRIBUTES},
    "Link": {
        1: binary("trace_id"),
        2: binary("span_id"),
        3: text("trace_state"),
        4: _ATTRIBUTES,
        6: fixed32("flags"),
    },
    "Status": {2: text("message"), 3: one_of("code", *(f"STATUS_CODE_{state}" for state in _STATES))},
    "KeyValue": {1: text("key"), 2: message("value", "AnyValue")},
    "AnyValue": {
        1: text("string_value"),
        2: boolean("bool_value"),
        3: integer("int_value"),
        4: double("double_value"),
        5: message("array_value", "ArrayValue"),
        6: message("kvlist_value", "KeyValueList"),
        7: binary("bytes_value"),
    },
    "ArrayValue": {1: messages("values", "AnyValue")},
    "KeyValueList": {1: messages("values", "KeyValue")},
}


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its compression. Raises Failure, also for one that would be too large."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise invalid(f"Unsupported Content-Encoding: {encoding}")
    engine = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)
    try:
        content = engine.decompress(body, MOST)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise invalid(f"the body is not {encoding}") from error
    if engine.unconsumed_tail:
        raise invalid(f"the body is larger than {MOST} bytes once it is unpacked")
    return content


def spans_by_trace(body: bytes, *, as_json: bool) -> dict[str, list[Span]]:
    """The spans of each trace, by MLflow's id of it. Raises Failure."""
    found: dict[str, list[Span]] = {}
    try:
        content = _from_json(body) if as_json else protobuf.read(body, "Request", _MESSAGES)
        for span in _spans(content):
            found.setdefault(trace_id(span), []).append(span)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise invalid("Invalid OpenTelemetry format") from error
    if not found:
        raise invalid("Invalid OpenTelemetry format - no spans found")
    return found


def trace_id(span: Span) -> str:
    """What MLflow's client calls the trace; of other clients `tr-` and the trace's own id."""
    for attribute in span.get("attributes", ()):
        if attribute.get("key") == _TRACE_ID:
            told = attribute.get("value", {}).get("string_value")
            if isinstance(told, str) and told:
                return told.strip('"')
    return f"tr-{base64.b64decode(span['trace_id']).hex()}"


def _spans(content: Mapping[str, Any]) -> Iterator[Span]:
    for resource in content.get("resource_spans", ()):
        for scope in resource.get("scope_spans", ()):
            for span in scope.get("spans", ()):
                if not base64.b64decode(span["trace_id"]) or not base64.b64decode(span["span_id"]):
                    raise ValueError("a span has no id")
                yield span


def _from_json(body: bytes) -> dict[str, Any]:
    """OpenTelemetry's JSON spells fields in camel case and ids in hexadecimal digits."""
    refuse_crowded(body)
    content = _plain(json.loads(body))
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    return content


def _plain(value: object) -> object:
    if isinstance(value, dict):
        named = ((_CAMEL.sub(lambda found: f"_{found[1].lower()}", key), each) for key, each in value.items())
        return {key: _field(key, each) for key, each in named if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _field(key: str, value: object) -> object:
    if key in _IDS and isinstance(value, str):
        return base64.b64encode(bytes.fromhex(value)).decode()
    if key in _NANOSECONDS:
        # Several traces are read together, sorted by these: one that is none would hide the others.
        if not isinstance(value, str | int) and not (isinstance(value, float) and value.is_integer()):
            raise ValueError(f"`{key}` is no number")
        return int(value)
    if key == "kind" and isinstance(value, int):
        return f"SPAN_KIND_{_KINDS[value]}"
    if key == "code" and isinstance(value, int):
        return f"STATUS_CODE_{_STATES[value]}"
    return _plain(value)
