"""Requests as values: JSON or query into one struct, as strict and as lenient as MLflow's protocol is.

Names of fields may be in camel case, as protobuf's JSON has it. A 64-bit integer and a number may come as
text, what is null counts as absent, unknown fields are passed over. Text stays text: a param's value that is
a number is refused.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from mlproj.server.failures import Failure, invalid

Asked = TypeVar("Asked", bound=msgspec.Struct)

_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`(?: - at `\$\.?(?P<path>.*)`)?")
_EMPTY = re.compile(r"Expected `str` of length >= 1 - at `\$\.?(?P<path>.*)`")
_WRONG = re.compile(r"(?P<why>.*?) - at `\$\.?(?P<path>.*)`")
_SEE = " See the API docs for more information about request parameters."
_UNDERSCORE = re.compile(r"_([a-z0-9])")
_DEEPEST = 100
_MOST_VALUES = 2_000_000


def from_body(body: bytes, kind: type[Asked]) -> Asked:
    """The request that a body holds; an empty one is a request without fields. Raises Failure."""
    body = body or b"{}"
    refuse_crowded(body)
    # Most requests have no capitals, which is quicker to see than each name that is not there.
    if body.islower() or not any(name in body for name in _camel_names(kind)):
        # Rare forms cost a second look: nulls, `NaN`, a body that was encoded twice.
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _decoder(kind).decode(body)
    return from_fields(_spelt(_lenient(body), kind), kind)


def refuse_crowded(body: bytes) -> None:
    """Raises Failure for JSON of so many values that reading it would take the memory of hundreds of it."""
    if len(body) > _MOST_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise invalid(f"The request holds more than {_MOST_VALUES} values.{_SEE}")


def from_body_and_path(body: bytes, in_path: Mapping[str, str], kind: type[Asked]) -> Asked:
    """As `from_body`, with fields that the path names; it outranks the body."""
    refuse_crowded(body)
    content = _spelt(_lenient(body or b"{}"), kind)
    return from_fields({**content, **in_path} if isinstance(content, dict) else content, kind)


def from_query(query: Sequence[tuple[str, str]], kind: type[Asked]) -> Asked:
    """The request that a query string holds: a field that may have several values has all of them."""
    fields: dict[str, Any] = {}
    several = _several(kind)
    for name, value in query:
        if name in several:
            fields.setdefault(name, []).append(value)
        else:
            fields.setdefault(name, value)
    return from_fields(fields, kind)


def from_fields(fields: object, kind: type[Asked]) -> Asked:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _explained(str(error)) from error


def _decoder(kind: type[Asked]) -> msgspec.json.Decoder[Asked]:
    return _decoder_of(kind)


@cache
def _decoder_of(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


def _spelt(content: object, kind: type[msgspec.Struct]) -> object:
    """With the names of fields as they are here, where the client spelt them in camel case."""
    if isinstance(content, list):
        return [_spelt(each, kind) for each in content]
    if not isinstance(content, dict):
        return content
    fields, ours = _fields(kind), _camel(kind)
    named = ((key if key in fields else ours.get(key, key), value) for key, value in content.items())
    return {name: _spelt(value, inner) if (inner := fields.get(name)) else value for name, value in named}


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, type[msgspec.Struct] | None]:
    """The fields of a request, with the kind of what is in them where that has fields itself."""
    return {name: next(_structs(hint), None) for name, hint in get_type_hints(kind).items()}


@cache
def _camel(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """Names in camel case, which protobuf's JSON allows as well, to those that are here."""
    return {_UNDERSCORE.sub(lambda found: found[1].upper(), name): name for name in _fields(kind)}


@cache
def _camel_names(kind: type[msgspec.Struct]) -> frozenset[bytes]:
    """The quoted names in camel case of a request and what is in it, as far as they are not the same here."""
    inner = (name for each in _fields(kind).values() if each for name in _camel_names(each))
    return frozenset(inner) | {f'"{name}"'.encode() for name, own in _camel(kind).items() if name != own}


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _structs(part)


@cache
def _several(kind: type[msgspec.Struct]) -> frozenset[str]:
    hints = get_type_hints(kind)
    return frozenset(name for name, hint in hints.items() if tuple in {get_origin(hint), *_origins(hint)})


def _origins(hint: object) -> set[object]:
    return {get_origin(part) for part in get_args(hint)}


def _lenient(body: bytes) -> object:
    try:
        content = json.loads(body, parse_float=_number)
        if isinstance(content, str):
            content = json.loads(content, parse_float=_number)
        content = _without_nulls(content, 0)
        # A lone surrogate is no text that could be kept.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request is not valid JSON: {_short(str(error))}.{_SEE}") from error
    return content


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text} is out of range")
    return value


def _without_nulls(content: object, depth: int) -> object:
    if depth > _DEEPEST:
        raise RecursionError("it is nested too deeply")
    if isinstance(content, dict):
        kept = ((key, value) for key, value in content.items() if value is not None)
        return {key: _without_nulls(value, depth + 1) for key, value in kept}
    if isinstance(content, list):
        return [_without_nulls(value, depth + 1) for value in content]
    return content


def _explained(said: str) -> Failure:
    """What msgspec said of a request, in MLflow's words."""
    if found := _MISSING.fullmatch(said):
        path = ".".join(filter(None, (found["path"], found["name"])))
        return invalid(f"Missing value for required parameter '{path}'.{_SEE}")
    if found := _EMPTY.fullmatch(said):
        return invalid(f"Missing value for required parameter '{found['path']}'.{_SEE}")
    if found := _WRONG.fullmatch(said):
        return invalid(f"Invalid value for parameter '{found['path']}' supplied: {found['why']}.{_SEE}")
    return invalid(f"The request cannot be read: {said}.{_SEE}")


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
