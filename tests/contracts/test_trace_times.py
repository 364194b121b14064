"""Traces: what their infos do not say, their spans do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mlproj.errors import UsageError
from mlproj.model.tracking import Page
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from mlproj.store.tracking.spans import Span
from mlproj.tracking_ports import Tracking

SECOND = 1_000_000_000
BEGAN = 1_767_225_600 * SECOND
"""The first moment of 2026."""


def span(number: int, parent: int | None, after: int, until: int | None, code: str = "UNSET") -> Span:
    return {
        "span_id": str(number),
        "parent_span_id": "" if parent is None else str(parent),
        "start_time_unix_nano": BEGAN + after * SECOND,
        **({} if until is None else {"end_time_unix_nano": BEGAN + until * SECOND}),
        "status": {"code": f"STATUS_CODE_{code}"},
    }


def told(tracking: Tracking) -> tuple[Any, ...]:
    """When the trace began, how long it took and how that ended, as readers and searches are told alike."""
    (found,), _ = tracking.traces.search(("0",), read_search(Subject.TRACES, ""), Page(limit=5))
    info = msgspec.json.decode(tracking.traces.get("tr-1")[0])
    assert msgspec.json.decode(found) == info
    return info["request_time"], info.get("execution_duration"), info.get("state")


def add_spans(tracking: Tracking, *spans: Span) -> None:
    tracking.traces.add_spans("tr-1", "0", msgspec.json.encode(spans))


def add(tracking: Tracking, **info: Any) -> None:
    tracking.traces.add("tr-1", "0", msgspec.json.encode({"trace_id": "tr-1", **info}))


def ids(tracking: Tracking, text: str) -> int:
    return len(tracking.traces.search(("0",), read_search(Subject.TRACES, text), Page(limit=5))[0])


def test_spans_alone_tell_a_trace_as_they_come(tracking: Tracking) -> None:
    add_spans(tracking, span(2, 1, 3, 4))
    assert told(tracking) == ("2026-01-01T00:00:03.000Z", "1.000s", "IN_PROGRESS")
    add_spans(tracking, span(1, None, 0, None))
    assert told(tracking) == ("2026-01-01T00:00:00.000Z", "4.000s", "IN_PROGRESS")
    add_spans(tracking, span(1, None, 0, 5))
    assert told(tracking) == ("2026-01-01T00:00:00.000Z", "5.000s", "OK")
    assert ids(tracking, "attributes.status = 'OK' AND attributes.execution_time_ms = 5000") == 1
    add_spans(tracking, span(3, 1, 1, 7))
    assert told(tracking)[1:] == ("7.000s", "OK")


def test_a_trace_fails_as_its_first_span_does(tracking: Tracking) -> None:
    add_spans(tracking, span(2, 1, 0, 1, "ERROR"), span(1, None, 0, 1, "OK"))
    assert told(tracking)[2] == "OK"
    add_spans(tracking, span(1, None, 0, 1, "ERROR"))
    assert told(tracking)[2] == "ERROR" and ids(tracking, "attributes.status = 'ERROR'") == 1


@pytest.mark.parametrize("info_first", [True, False])
def test_what_the_info_says_holds(tracking: Tracking, info_first: bool) -> None:
    if not info_first:
        add_spans(tracking, span(1, None, 0, 5))
    add(tracking, request_time="2026-01-01T00:00:01Z", execution_duration="2s", state="ERROR")
    if info_first:
        add_spans(tracking, span(1, None, 0, 5))
    assert told(tracking) == ("2026-01-01T00:00:01Z", "2s", "ERROR")


def test_a_trace_that_was_told_to_go_on_ends_with_its_first_span(tracking: Tracking) -> None:
    add(tracking, request_time="2026-01-01T00:00:01Z", state="IN_PROGRESS")
    assert told(tracking) == ("2026-01-01T00:00:01Z", None, "IN_PROGRESS")
    add_spans(tracking, span(1, None, 1, 5))
    assert told(tracking) == ("2026-01-01T00:00:01Z", "4.000s", "OK")


def test_what_was_thought_of_a_trace_outlives_its_info(tracking: Tracking) -> None:
    """Somebody may look at its spans before the client has told the rest."""
    add_spans(tracking, span(1, None, 0, 5))

    def judge(document: bytes) -> bytes:
        info = msgspec.json.decode(document)
        return msgspec.json.encode({**info, "assessments": [{"assessment_id": "a-1"}]})

    tracking.traces.update("tr-1", judge)
    add_spans(tracking, span(2, 1, 0, 6))
    assert told(tracking)[1] == "6.000s", "judging it has not settled when it ended"
    add(tracking, state="OK", assessments=[{"assessment_id": "a-2", "value": [[1]]}])
    add(tracking, state="OK", assessments=[{"assessment_id": "a-2", "value": [[2]]}])
    info = msgspec.json.decode(tracking.traces.get("tr-1")[0])
    assert [each["assessment_id"] for each in info["assessments"]] == ["a-1", "a-2"]
    assert info["assessments"][1]["value"] == [[2]]


def test_a_tag_that_was_set_or_deleted_stays_so_when_more_spans_come(tracking: Tracking) -> None:
    add(tracking, state="OK", tags={"set": "before", "deleted": "x"})
    tracking.traces.set_tag("tr-1", "set", "after")
    tracking.traces.delete_tag("tr-1", "deleted")
    add_spans(tracking, span(1, None, 0, 5))
    tags = msgspec.json.decode(tracking.traces.get("tr-1")[0])["tags"]
    assert tags == {"set": "after", "mlflow.trace.spansLocation": "TRACKING_STORE"}


def test_spans_that_are_none_change_nothing(tracking: Tracking) -> None:
    add_spans(tracking, span(1, None, 0, 5))
    before = tracking.traces.get("tr-1")
    for spans in (b"{}", b"[1]", b"[" * 10_000):
        with pytest.raises(UsageError, match="spans of a trace cannot be read"):
            tracking.traces.add_spans("tr-1", "0", spans)
    assert tracking.traces.get("tr-1") == before
