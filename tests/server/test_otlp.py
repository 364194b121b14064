"""OpenTelemetry's spans are read from protocol buffers and from JSON into the same thing."""

from __future__ import annotations

import gzip
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.server.failures import Failure
from mlproj.server.otlp import spans_by_trace, unpacked


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes | float) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (2**64 - 1))
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed(number: int, value: int) -> bytes:
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def attribute(key: str, value: bytes) -> bytes:
    return field(9, field(1, key.encode()) + field(2, value))


SPAN = b"".join(
    (
        field(1, bytes(range(16))),
        field(2, bytes(range(8))),
        field(5, b"f"),
        field(6, 1),
        fixed(7, 5),
        fixed(8, 2**63 + 1),
        attribute("mlflow.traceRequestId", field(1, b'"tr-1"')),
        attribute("list", field(5, field(1, field(3, -1)) + field(1, field(4, 1.5)) + field(1, field(2, 1)))),
        field(15, field(3, 1)),
        field(99, b"unheard of"),
    )
)
REQUEST = field(1, field(1, b"") + field(2, field(2, SPAN)))

AS_JSON = {
    "resourceSpans": [
        {
            "resource": {},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": bytes(range(16)).hex(),
                            "spanId": bytes(range(8)).hex(),
                            "name": "f",
                            "kind": 1,
                            "startTimeUnixNano": "5",
                            "endTimeUnixNano": str(2**63 + 1),
                            "attributes": [
                                {"key": "mlflow.traceRequestId", "value": {"stringValue": '"tr-1"'}},
                                {
                                    "key": "list",
                                    "value": {
                                        "arrayValue": {
                                            "values": [
                                                {"intValue": "-1"},
                                                {"doubleValue": 1.5},
                                                {"boolValue": True},
                                            ]
                                        }
                                    },
                                },
                            ],
                            "status": {"code": 1},
                        }
                    ]
                }
            ],
        }
    ]
}


def test_both_encodings_are_read_alike() -> None:
    read = spans_by_trace(REQUEST, as_json=False)
    assert read == spans_by_trace(json.dumps(AS_JSON).encode(), as_json=True)
    assert list(read) == ["tr-1"]
    (span,) = read["tr-1"]
    assert span["trace_id"] == "AAECAwQFBgcICQoLDA0ODw=="
    assert span["end_time_unix_nano"] == 2**63 + 1
    assert span["status"] == {"code": "STATUS_CODE_OK"}


def test_a_trace_of_another_client_is_named_by_its_own_id() -> None:
    span = field(1, b"\xab" * 16) + field(2, b"\x01" * 8)
    assert list(spans_by_trace(field(1, field(2, field(2, span))), as_json=False)) == ["tr-" + "ab" * 16]


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    for as_json in (False, True):
        try:
            spans_by_trace(body, as_json=as_json)
        except Failure as failure:
            assert failure.code == "INVALID_PARAMETER_VALUE"


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2))
)
def test_no_json_is_more_than_refused(value: object) -> None:
    for content in (
        value,
        {"resourceSpans": value},
        {"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}]},
    ):
        with pytest.raises(Failure):
            spans_by_trace(json.dumps(content).encode(), as_json=True)


@pytest.mark.parametrize("moment", ["{}", "[]", '"a"', "1.5", "1e999", "NaN"])
def test_a_moment_that_is_none_is_refused(moment: str) -> None:
    """It would keep all the traces that are read with it from being put in order."""
    request = json.loads(json.dumps(AS_JSON))
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"] = "MOMENT"
    told = json.dumps(request).replace('"MOMENT"', moment)
    with pytest.raises(Failure):
        spans_by_trace(told.encode(), as_json=True)


def test_a_body_may_be_compressed_and_not_without_bound() -> None:
    assert unpacked(gzip.compress(b"x"), "gzip") == b"x"
    assert unpacked(zlib.compress(b"x"), "deflate") == b"x"
    for body, encoding in (
        (b"no", "gzip"),
        (b"x", "br"),
        (gzip.compress(bytes(33 * 1024 * 1024)), "gzip"),
    ):
        with pytest.raises(Failure):
            unpacked(body, encoding)


def test_a_small_body_does_not_become_more_than_a_server_bears() -> None:
    """Two bytes may be an event: fifteen million of them are some hundred KB, compressed."""
    span = field(1, b"a" * 16) + field(2, b"b" * 8) + field(11, b"") * 1_100_000
    with pytest.raises(Failure):
        spans_by_trace(field(1, field(2, field(2, span))), as_json=False)
    crowded = b'{"resourceSpans":[' + b"[]," * 2_100_000 + b"[]]}"
    with pytest.raises(Failure, match="values"):
        spans_by_trace(crowded, as_json=True)
