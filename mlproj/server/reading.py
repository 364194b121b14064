"""Requests as values: JSON or query into one struct, as strict and as lenient as MLflow's protocol is.

A 64-bit integer and a number may come as text, what is null counts as absent, unknown fields are
passed over. Text stays text: a param's value that is a number is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from mlproj.server.failures import Failure, invalid

Asked = TypeVar("Asked", bound=msgspec.Struct)

_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`(?: - at `\$\.?(?P<path>.*)`)?")
_EMPTY = re.compile(r"Expected `str` of length >= 1 - at `\$\.?(?P<path>.*)`")
_WRONG = re.compile(r"(?P<why>.*?) - at `\$\.?(?P<path>.*)`")
_SEE = " See the API docs for more information about request parameters."
_DEEPEST = 100


def from_body(body: bytes, kind: type[Asked]) -> Asked:
    """The request that a body holds; an empty one is a request without fields. Raises Failure."""
    body = body or b"{}"
    try:
        return _decoder(kind).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Rare forms that cost a second look: nulls, `NaN`, a body that was encoded twice.
        return from_fields(_lenient(body), kind)


def from_body_and_path(body: bytes, in_path: Mapping[str, str], kind: type[Asked]) -> Asked:
    """As `from_body`, with fields that the path names; it outranks the body."""
    content = _lenient(body or b"{}")
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
