"""The spans of a trace as OpenTelemetry has them, and what they tell of the trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from mlproj.errors import UsageError
from mlproj.model.moment import LAST_MOMENT

Span = dict[str, Any]

IN_PROGRESS = "IN_PROGRESS"
_NANOSECONDS = 1_000_000
"""In a millisecond."""


class Told(NamedTuple):
    """When a trace began (milliseconds since the epoch) and how many it took, as far as its spans tell;
    and its state, which is that of the span that all others are below."""

    began: int | None
    took: int | None
    state: str


def read_spans(document: bytes) -> list[Span]:
    """Raises UsageError."""
    try:
        return msgspec.json.decode(document, type=list[Span])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"the spans of a trace cannot be read: {error}") from error


def merged(known: Sequence[Span], more: Sequence[Span]) -> list[Span]:
    """One that is sent again, when it has ended, replaces what was known of it."""
    found = {str(span.get("span_id", number)): span for number, span in enumerate((*known, *more))}
    return list(found.values())


def told(spans: Sequence[Span]) -> Told:
    began, ended = (
        [span[key] // _NANOSECONDS for span in spans if isinstance(span.get(key), int)]
        for key in ("start_time_unix_nano", "end_time_unix_nano")
    )
    if not began or not 0 <= min(began) <= LAST_MOMENT:
        return Told(None, None, _state(spans))
    return Told(min(began), max(0, max(ended) - min(began)) if ended else None, _state(spans))


def _state(spans: Sequence[Span]) -> str:
    """A span that did not say how it ended has ended well: so does MLflow's server read it."""
    for span in spans:
        if not span.get("parent_span_id") and span.get("end_time_unix_nano"):
            status = span.get("status")
            failed = isinstance(status, dict) and status.get("code") == "STATUS_CODE_ERROR"
            return "ERROR" if failed else "OK"
    return IN_PROGRESS
