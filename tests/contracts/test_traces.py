"""What everything that keeps traces does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import NotFound, UsageError
from mlproj.model.tracking import Page
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from mlproj.tracking_ports import Tracking


def info(trace_id: str, **more: Any) -> bytes:
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    return json.dumps({"trace_id": trace_id, "trace_location": location, **more}).encode()


def add(tracking: Tracking, trace_id: str, **more: Any) -> None:
    tracking.traces.add(trace_id, "0", info(trace_id, **more))


def told(tracking: Tracking, trace_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(tracking.traces.get(trace_id)[0])
    return document


def spans(tracking: Tracking, trace_id: str) -> Any:
    kept = tracking.traces.get(trace_id)[1]
    return None if kept is None else json.loads(kept)


def found(tracking: Tracking, filter: str = "", *order_by: str, limit: int = 100) -> list[str]:
    search = read_search(Subject.TRACES, filter, order_by)
    infos, token = tracking.traces.search(["0"], search, Page(limit=limit))
    ids = [json.loads(each)["trace_id"] for each in infos]
    while token is not None:
        infos, token = tracking.traces.search(["0"], search, Page(limit=limit, token=token))
        ids += [json.loads(each)["trace_id"] for each in infos]
    return ids


def test_a_trace_is_kept_as_it_came(tracking: Tracking) -> None:
    document = {
        "request_time": "2026-01-02T03:04:05.678901234Z",
        "execution_duration": "1.5s",
        "state": "OK",
        "client_request_id": "c1",
        "trace_metadata": {"mlflow.sourceRun": "r1"},
        "tags": {"mlflow.traceName": "ask", "é": "ü"},
        "assessments": [{"anything": [1, None, "x"]}],
    }
    add(tracking, "tr-1", **document)
    assert told(tracking, "tr-1") == {**json.loads(info("tr-1")), **document}
    assert spans(tracking, "tr-1") is None


def test_what_is_not_there_is_not_found(tracking: Tracking) -> None:
    for call in (
        lambda: tracking.traces.get("tr-1"),
        lambda: tracking.traces.set_tag("tr-1", "a", "b"),
        lambda: tracking.traces.delete_tag("tr-1", "a"),
    ):
        with pytest.raises(NotFound, match=r"^Trace with ID 'tr-1' not found\.$"):
            call()
    with pytest.raises(NotFound, match="No Experiment with id=99 exists"):
        tracking.traces.add("tr-1", "99", info("tr-1"))


def test_tags_change(tracking: Tracking) -> None:
    add(tracking, "tr-1", tags={"a": "1", "b": "2"})
    tracking.traces.set_tag("tr-1", "a", "3")
    tracking.traces.set_tag("tr-1", "c", "4")
    tracking.traces.delete_tag("tr-1", "b")
    assert told(tracking, "tr-1")["tags"] == {"a": "3", "c": "4"}
    with pytest.raises(NotFound, match="No trace tag with key 'b' for trace with ID 'tr-1'"):
        tracking.traces.delete_tag("tr-1", "b")


def test_spans_come_after_the_info_or_before_it(tracking: Tracking) -> None:
    first, second = ({"span_id": name, "start_time_unix_nano": 2_000_000_000} for name in "ab")
    add(tracking, "tr-1", request_time="2026-01-02T03:04:05Z")
    tracking.traces.add_spans("tr-1", "0", json.dumps([first]).encode())
    tracking.traces.add_spans("tr-1", "0", json.dumps([second]).encode())
    assert spans(tracking, "tr-1") == [first, second]
    tracking.traces.add_spans("tr-2", "0", json.dumps([first, second]).encode())
    assert told(tracking, "tr-2")["request_time"] == "1970-01-01T00:00:02.000Z"
    assert found(tracking, "timestamp = 2000") == ["tr-2"]
    add(tracking, "tr-2", state="OK", request_time="2026-01-02T03:04:05Z")
    assert told(tracking, "tr-2")["state"] == "OK"
    assert spans(tracking, "tr-2") == [first, second]
    for trace_id in ("tr-1", "tr-2"):
        assert told(tracking, trace_id)["tags"] == {"mlflow.trace.spansLocation": "TRACKING_STORE"}


def test_a_span_that_is_sent_again_is_kept_once(tracking: Tracking) -> None:
    begun = {"span_id": "a", "start_time_unix_nano": 1}
    ended = {**begun, "end_time_unix_nano": 2}
    tracking.traces.add_spans("tr-1", "0", json.dumps([begun]).encode())
    tracking.traces.add_spans("tr-1", "0", json.dumps([ended]).encode())
    assert spans(tracking, "tr-1") == [ended]


@pytest.mark.parametrize("document", [b"", b"[]", b"{", b'{"tags": 1}', b'{"tags": {"a": 1}}', b"\xff"])
def test_an_info_that_is_none_is_refused(tracking: Tracking, document: bytes) -> None:
    with pytest.raises(UsageError, match="the info of a trace cannot be read"):
        tracking.traces.add("tr-1", "0", document)
    with pytest.raises(UsageError, match="the spans of a trace cannot be read"):
        tracking.traces.add_spans("tr-1", "0", document if document != b"[]" else b"{}")
    with pytest.raises(NotFound):
        tracking.traces.get("tr-1")


def test_an_info_is_changed_with_nobody_between(tracking: Tracking) -> None:
    add(tracking, "tr-1", state="IN_PROGRESS", tags={"a": "1"}, request_time="2026-01-02T03:04:05Z")
    tracking.traces.set_tag("tr-1", "b", "2")

    def count(document: bytes) -> bytes:
        info = json.loads(document)
        metadata = {"n": str(int(info.get("trace_metadata", {}).get("n", 0)) + 1)}
        return json.dumps({**info, "state": "OK", "trace_metadata": metadata}).encode()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tracking.traces.update("tr-1", count), range(20)))
    assert told(tracking, "tr-1")["trace_metadata"] == {"n": "20"}
    assert told(tracking, "tr-1")["tags"] == {"a": "1", "b": "2"}
    assert found(tracking, "status = 'OK' AND metadata.n = '20'") == ["tr-1"]
    with pytest.raises(UsageError, match="the info of a trace cannot be read"):
        tracking.traces.update("tr-1", lambda document: b"[]")
    with pytest.raises(NotFound):
        tracking.traces.update("tr-2", count)
    assert told(tracking, "tr-1")["state"] == "OK"


def test_traces_are_deleted_with_all_of_them(tracking: Tracking) -> None:
    add(tracking, "tr-1", tags={"a": "1"}, trace_metadata={"b": "2"})
    add(tracking, "tr-2")
    other = tracking.experiments.create("other").experiment_id
    assert tracking.traces.delete(other, ["tr-1"]) == 0
    assert tracking.traces.delete("0", ["tr-1", "tr-1", "tr-3"]) == 1
    assert found(tracking) == ["tr-2"]
    add(tracking, "tr-1")
    assert told(tracking, "tr-1")["tags"] == {}


@pytest.mark.parametrize(
    ("filter", "order_by", "ids"),
    [
        ("", (), ["tr-3", "tr-2", "tr-1"]),
        ("", ("timestamp ASC",), ["tr-1", "tr-2", "tr-3"]),
        ("", ("execution_time DESC",), ["tr-2", "tr-1", "tr-3"]),
        ("", ("metadata.kind",), ["tr-3", "tr-1", "tr-2"]),
        ("", ("run_id DESC",), ["tr-2", "tr-1", "tr-3"]),
        ("", ("name",), ["tr-2", "tr-1", "tr-3"]),
        ("status = 'OK'", (), ["tr-1"]),
        ("trace.status IN ('OK', 'ERROR')", (), ["tr-2", "tr-1"]),
        ("timestamp >= 1767323045000", (), ["tr-3", "tr-2"]),
        ("execution_time_ms > 100 AND end_time < 1767323045200", (), ["tr-1"]),
        ("name LIKE 'a%'", (), ["tr-2"]),
        ("tags.colour = 'red'", (), ["tr-1"]),
        ("metadata.kind = 'x'", (), ["tr-3", "tr-1"]),
        ("run_id = 'r1'", (), ["tr-2", "tr-1"]),
        ("run_id IS NULL", (), ["tr-3"]),
        ("client_request_id = 'c'", (), ["tr-2"]),
        ("request_id = 'tr-3'", (), ["tr-3"]),
        ("experiment_id = '0' AND experiment_id != '1'", (), ["tr-3", "tr-2", "tr-1"]),
    ],
)
def test_traces_are_searched(
    tracking: Tracking, filter: str, order_by: tuple[str, ...], ids: list[str]
) -> None:
    add(
        tracking,
        "tr-1",
        request_time="2026-01-02T03:04:04Z",
        execution_duration="0.250s",
        state="OK",
        trace_metadata={"kind": "x", "mlflow.sourceRun": "r1"},
        tags={"mlflow.traceName": "z", "colour": "red"},
    )
    add(
        tracking,
        "tr-2",
        request_time="2026-01-02T04:04:05+01:00",
        execution_duration="3s",
        state="ERROR",
        client_request_id="c",
        trace_metadata={"mlflow.sourceRun": "r2"},
        tags={"mlflow.traceName": "ask"},
    )
    tracking.traces.set_tag("tr-2", "mlflow.sourceRun", "r1")
    add(tracking, "tr-3", request_time="2026-01-02T03:04:06Z", trace_metadata={"kind": "x"})
    assert found(tracking, filter, *order_by) == ids
    assert found(tracking, filter, *order_by, limit=1) == ids


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("request_time", "execution_duration", "state", "client_request_id", "tags", "trace_metadata")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fields=st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON), sent=JSON)
def test_no_document_raises_anything_but_a_usage_error(
    tracking: Tracking, fields: dict[str, Any], sent: Any
) -> None:
    try:
        tracking.traces.add("tr-1", "0", json.dumps(fields).encode())
        tracking.traces.get("tr-1")
        found(tracking)
    except UsageError as error:
        assert error.message
    except KeyError:
        assert "trace_id" not in fields
    try:
        tracking.traces.add_spans("tr-1", "0", json.dumps([sent, {"span_id": sent}]).encode())
        assert isinstance(spans(tracking, "tr-1"), list)
    except UsageError as error:
        assert error.message
