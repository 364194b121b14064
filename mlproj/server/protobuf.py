"""Protocol buffers read by a table of fields into JSON values, as far as OpenTelemetry's traces need it.

The protobuf package is 1.5 MiB for one message that one route takes.
"""

from __future__ import annotations

import base64
import itertools
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

_DEEPEST = 64
MOST_FIELDS = 1_000_000
"""Of one message with all in it: two bytes may be a field, and take hundreds where they are read."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(msgspec.Struct, frozen=True):
    """A field of a message: how its value is read, or, with `message`, of which kind it is."""

    name: str
    wire: int = _BYTES
    read: Callable[[Any], object] = bytes
    message: str | None = None
    repeated: bool = False


Messages = Mapping[str, Mapping[int, Field]]


class Malformed(ValueError):
    """Bytes that are no such message."""


def text(name: str) -> Field:
    return Field(name, read=lambda value: _text(value))


def binary(name: str) -> Field:
    return Field(name, read=lambda value: base64.b64encode(value).decode())


def integer(name: str) -> Field:
    return Field(name, _VARINT, read=_signed)


def boolean(name: str) -> Field:
    return Field(name, _VARINT, read=bool)


def one_of(name: str, *names: str) -> Field:
    """An enumeration, told by name."""
    return Field(name, _VARINT, read=lambda value: names[value] if value < len(names) else value)


def fixed64(name: str) -> Field:
    return Field(name, _FIXED64, read=lambda value: int.from_bytes(value, "little"))


def fixed32(name: str) -> Field:
    return Field(name, _FIXED32, read=lambda value: int.from_bytes(value, "little"))


def double(name: str) -> Field:
    return Field(name, _FIXED64, read=lambda value: _number(struct.unpack("<d", value)[0]))


def message(name: str, kind: str) -> Field:
    return Field(name, message=kind)


def messages(name: str, kind: str) -> Field:
    return Field(name, message=kind, repeated=True)


def read(body: bytes, kind: str, known: Messages) -> dict[str, Any]:
    """The message as JSON. Unknown fields are passed over. Raises Malformed."""
    return _read(body, kind, known, 0, itertools.count(1))


def _read(body: bytes, kind: str, known: Messages, depth: int, counted: Iterator[int]) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise Malformed("it is nested too deeply")
    found: dict[str, Any] = {}
    position = 0
    while position < len(body):
        if next(counted) > MOST_FIELDS:
            raise Malformed("it has too many fields")
        tag, position = _varint(body, position)
        value, position = _value(body, position, tag & 7)
        field = known[kind].get(tag >> 3)
        if field is None or field.wire != tag & 7:
            continue
        if field.message is None:
            found[field.name] = field.read(value)
        else:
            assert isinstance(value, bytes)
            inner = _read(value, field.message, known, depth + 1, counted)
            if field.repeated:
                found.setdefault(field.name, []).append(inner)
            else:
                found[field.name] = inner
    return found


def _value(body: bytes, position: int, wire: int) -> tuple[int | bytes, int]:
    if wire == _VARINT:
        return _varint(body, position)
    if wire == _BYTES:
        size, position = _varint(body, position)
    elif wire in (_FIXED64, _FIXED32):
        size = 8 if wire == _FIXED64 else 4
    else:
        raise Malformed(f"there is no wire type {wire}")
    end = position + size
    if end > len(body):
        raise Malformed("it ends too early")
    return body[position:end], end


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(body):
            raise Malformed("it ends too early")
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), position
    raise Malformed("a number has no end")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Malformed("a text is not UTF-8") from error


def _number(value: float) -> float | str:
    if value != value:
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
