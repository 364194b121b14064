"""Spans as MLflow writes them into its tables, made into what its protocol tells of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from mlproj.errors import DataError

_PLAIN = {"UNSET": "STATUS_CODE_UNSET", "OK": "STATUS_CODE_OK", "ERROR": "STATUS_CODE_ERROR"}


def span_of(content: str) -> dict[str, Any]:
    """A span in OTLP's JSON, with ids in base64 and attributes as typed values. Raises DataError."""
    try:
        kept = json.loads(content)
        status = kept.get("status") or {}
        code = str(status.get("code") or "UNSET")
        span = {
            "trace_id": _id(kept["trace_id"], 16),
            "span_id": _id(kept["span_id"], 8),
            "parent_span_id": _id(kept["parent_span_id"], 8) if kept.get("parent_span_id") else None,
            "name": kept["name"],
            "start_time_unix_nano": int(kept["start_time_unix_nano"]),
            "end_time_unix_nano": int(kept["end_time_unix_nano"]) if kept.get("end_time_unix_nano") else None,
            "attributes": _attributes(kept.get("attributes") or {}, dumped=True),
            "events": [_event(event) for event in kept.get("events") or ()],
            "links": [_link(link) for link in kept.get("links") or ()],
            "status": {"code": _PLAIN.get(code, code), "message": status.get("message") or ""},
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"a span cannot be read: {error!r}") from error
    return {key: value for key, value in span.items() if value not in (None, [])}


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": event["name"],
        "time_unix_nano": int(event["time_unix_nano"]),
        "attributes": _attributes(event.get("attributes") or {}, dumped=False),
    }


def _link(link: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": _id(link["trace_id"], 16),
        "span_id": _id(link["span_id"], 8),
        "attributes": _attributes(link.get("attributes") or {}, dumped=False),
    }


def _id(text: str, size: int) -> str:
    """An id in base64, which some versions wrote in hexadecimal."""
    bare = text.rpartition("/")[2].removeprefix("tr-").removeprefix("0x")
    try:
        return base64.b64encode(bytes.fromhex(bare.zfill(2 * size))).decode()
    except ValueError:
        base64.b64decode(text, validate=True)
        return text


def _attributes(found: Mapping[str, Any], *, dumped: bool) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": _value(_loaded(value) if dumped else value)} for key, value in found.items()
    ]


def _loaded(value: Any) -> Any:
    """An attribute of a span is kept as the JSON of its value."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"bool_value": value}
        case int():
            return {"int_value": value} if -(2**63) <= value < 2**63 else {"string_value": str(value)}
        case float():
            return {"double_value": value}
        case list():
            return {"array_value": {"values": [_value(item) for item in value]}}
        case dict():
            items = [{"key": str(key), "value": _value(item)} for key, item in value.items()]
            return {"kvlist_value": {"values": items}}
        case _:
            return {"string_value": str(value)}
