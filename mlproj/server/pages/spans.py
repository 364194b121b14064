"""The spans of a trace, read from what OpenTelemetry and MLflow 2 write, and laid out as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_INPUTS, _OUTPUTS, _TYPE = "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.spanType"
_OURS = (_INPUTS, _OUTPUTS, _TYPE, "mlflow.traceRequestId", "mlflow.spanFunctionName", "mlflow.spanLogLevel")
_OF_CLIENTS = "mlflow."
_LONGEST = 20_000
"""Characters of a value that are shown."""
_MOST_EVENTS = 100
_MILLISECOND = 1_000_000
"""In nanoseconds."""
_DEEP = "It is nested too deeply to be shown."

Texts = tuple[tuple[str, str], ...]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened within a span, so many milliseconds after the trace began."""

    name: str
    after: float | None
    attributes: Texts


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are nanoseconds since the epoch; texts are as people read them."""

    id: str
    parent: str
    name: str
    kind: str
    state: str
    told: str
    began: int | None
    ended: int | None
    inputs: str
    outputs: str
    attributes: Texts
    events: tuple[Event, ...]


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A span and how deep it lies; when it began and how long it took in milliseconds; and the part of the
    whole, in thousandths, at which it begins and which it takes."""

    span: Span
    level: int
    after: float | None
    took: float | None
    place: int
    part: int


def tree(documents: Sequence[Mapping[str, Any]], most: int) -> tuple[Branch, ...]:
    """The spans, each followed by those within it, in the order in which they began: so many at most."""
    first = min((began for each in documents if (began := _began(each)) is not None), default=None)
    spans = [_span(each, first) for each in documents]
    last = max((span.ended for span in spans if span.ended is not None), default=first)
    whole = max(1, (last or 0) - (first or 0))
    branches: list[Branch] = []
    for level, span in _walk(spans):
        if len(branches) == most:
            break
        branches.append(_branch(span, level, first, whole))
    return tuple(branches)


def text_of(value: object) -> str:
    """A value as a person reads it."""
    try:
        told = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError):
        return _DEEP
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"


def _walk(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Depth first. What is within something that is not here stands by itself, as does a circle."""
    within: dict[str, list[Span]] = {}
    known = {span.id for span in spans}
    for span in sorted(spans, key=lambda span: span.began or 0):
        is_inner = span.parent in known and span.parent != span.id
        within.setdefault(span.parent if is_inner else "", []).append(span)
    seen: set[str] = set()
    # A circle is come to from none of the first: it is begun with whatever of it began first.
    tops = [*within.get("", ()), *sorted(spans, key=lambda span: span.began or 0)]
    for top in tops:
        waiting = [(0, top)]
        while waiting:
            level, span = waiting.pop()
            if span.id in seen:
                continue
            seen.add(span.id)
            yield level, span
            waiting += ((level + 1, each) for each in reversed(within.get(span.id, ())))


def _branch(span: Span, level: int, first: int | None, whole: int) -> Branch:
    after = None if span.began is None or first is None else span.began - first
    took = None if span.began is None or span.ended is None else max(0, span.ended - span.began)
    place = 0 if after is None else min(1000, 1000 * after // whole)
    return Branch(
        span=span,
        level=level,
        after=_milliseconds(after),
        took=_milliseconds(took),
        place=place,
        part=min(1000 - place, max(4, 1000 * (took or 0) // whole)),
    )


def _span(document: Mapping[str, Any], first: int | None) -> Span:
    context, status = _mapping(document.get("context")), _mapping(document.get("status"))
    attributes = _attributes(document.get("attributes"))
    named = document.get("status_code") or status.get("code") or ""
    shown = {key: value for key, value in attributes.items() if key not in _OURS}
    return Span(
        id=str(document.get("span_id") or context.get("span_id") or ""),
        parent=str(document.get("parent_span_id") or document.get("parent_id") or ""),
        name=str(document.get("name") or "unnamed"),
        kind=str(attributes.get(_TYPE) or "").lower(),
        state=str(named).removeprefix("STATUS_CODE_").lower(),
        told=text_of(document.get("status_message") or status.get("message") or ""),
        began=_began(document),
        ended=_moment(document.get("end_time_unix_nano", document.get("end_time"))),
        inputs=_shown(attributes.get(_INPUTS)),
        outputs=_shown(attributes.get(_OUTPUTS)),
        attributes=tuple((key, text_of(value)) for key, value in sorted(shown.items())),
        events=tuple(
            _event(_mapping(each), first) for each in _listed(document.get("events"))[:_MOST_EVENTS]
        ),
    )


def _event(document: Mapping[str, Any], first: int | None) -> Event:
    moment = _moment(document.get("time_unix_nano", document.get("timestamp")))
    # MLflow 2 counts the time of events in microseconds.
    if moment is not None and "time_unix_nano" not in document:
        moment *= 1000
    return Event(
        name=str(document.get("name") or ""),
        after=None if moment is None or first is None else _milliseconds(moment - first),
        attributes=tuple(
            (key, text_of(value)) for key, value in _attributes(document.get("attributes")).items()
        ),
    )


def _attributes(told: object) -> dict[str, Any]:
    """By key. MLflow writes JSON in texts, in version 2 each value."""
    if isinstance(told, dict):
        return {str(key): _from_json(value) for key, value in told.items()}
    pairs = [_mapping(each) for each in _listed(told)]
    found = {}
    for pair in pairs:
        key = str(pair.get("key", ""))
        try:
            value = _plain(_mapping(pair.get("value")))
        except RecursionError:
            value = _DEEP
        found[key] = _from_json(value) if key.startswith(_OF_CLIENTS) else value
    return found


def _plain(value: Mapping[str, Any]) -> Any:
    """A value of OpenTelemetry's, which says of what type it is."""
    if "array_value" in value:
        return [_plain(_mapping(each)) for each in _listed(_mapping(value["array_value"]).get("values"))]
    if "kvlist_value" in value:
        pairs = [_mapping(each) for each in _listed(_mapping(value["kvlist_value"]).get("values"))]
        return {str(pair.get("key", "")): _plain(_mapping(pair.get("value"))) for pair in pairs}
    return next(iter(value.values()), None)


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found


def _shown(value: object) -> str:
    return "" if value is None else text_of(value)


def _began(document: Mapping[str, Any]) -> int | None:
    return _moment(document.get("start_time_unix_nano", document.get("start_time")))


def _moment(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else None


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _MILLISECOND


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
