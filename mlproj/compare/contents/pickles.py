"""Pickles, joblib's among them, by what they would build, without building it: a pickle can run anything."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mlproj.compare.contents.archives import LARGEST
from mlproj.compare.contents.arrays import tally_elements
from mlproj.compare.contents.inert import Array, Inert, as_array, read_pickle
from mlproj.compare.judgement import Judgement, Tally, place
from mlproj.model.tolerance import Tolerance

_COMPRESSED = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
"""How zlib's streams begin, by level: joblib writes one where it is told to compress."""
_MOST_VALUES = 5_000_000

Pair = tuple[str, Any, Any]


def compare_pickles(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """Two pickles by their objects: numbers and the elements of arrays within the tolerance. None where one
    of the two is no pickle to its end."""
    try:
        pair = [read_pickle(_inflated(content)) for content in (expected, found)]
    except ValueError:
        return None
    tally = Tally(tolerance=tolerance, unit="value")
    waiting: list[Pair] = [("the object", *pair)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        where, one, other = waiting.pop()
        if (id(one), id(other)) in seen:  # objects may hold each other
            continue
        if isinstance(one, dict | list | tuple | Inert):
            seen.add((id(one), id(other)))
        if len(seen) + tally.compared > _MOST_VALUES:
            return None
        waiting.extend(reversed(list(_compared(where, one, other, tally))))
    return tally.judgement("pickle", "the same objects, written differently")


def _inflated(content: bytes) -> bytes:
    """Raises ValueError where it is compressed, and not to its end or too large."""
    if not content.startswith(_COMPRESSED):
        return content
    inflating = zlib.decompressobj()
    try:
        plain = inflating.decompress(content, LARGEST)
    except zlib.error as error:
        raise ValueError(f"it is not compressed as it says: {error}") from error
    if not inflating.eof:
        raise ValueError("it holds too much")
    return plain


def _compared(where: str, expected: Any, found: Any, tally: Tally) -> Iterator[Pair]:
    """Compares what is no container; gives the parts of what is one."""
    arrays = as_array(expected), as_array(found)
    if arrays[0] is not None and arrays[1] is not None:
        _compare_arrays(where, arrays[0], arrays[1], tally)
    elif _kind(expected) != _kind(found):
        tally.missing(f"{where} is {_kind(found)} instead of {_kind(expected)}")
    elif isinstance(expected, type):
        tally.others(where, vars(expected).get("name"), vars(found).get("name"))
    elif isinstance(expected, Inert):
        yield from _by_name(where, expected.parts, found.parts, tally)
    elif isinstance(expected, dict):
        yield from _by_name(where, _named(expected), _named(found), tally)
    elif isinstance(expected, list | tuple):
        if len(expected) != len(found):
            tally.missing(f"{where} has {len(found)} elements instead of {len(expected)}")
        pairs = enumerate(zip(expected, found, strict=False))
        yield from ((place(where, f"[{number}]"), one, other) for number, (one, other) in pairs)
    elif isinstance(expected, set | frozenset):
        tally.others(where, sorted(map(repr, expected)), sorted(map(repr, found)))
    elif _kind(expected) == "a number":
        tally.numbers(where, _float(expected), _float(found))
    elif isinstance(expected, bytes):
        tally.others(where, _Bytes(expected), _Bytes(found))
    else:
        tally.others(where, expected, found)


def _by_name(where: str, expected: dict[str, Any], found: dict[str, Any], tally: Tally) -> Iterator[Pair]:
    start = "" if where == "the object" else f"{where}."
    for name in dict.fromkeys((*expected, *found)):
        if name not in expected or name not in found:
            side = "first" if name in expected else "second"
            tally.missing(f"`{place(start, name)}` is only in the {side}")
        else:
            yield place(start, name), expected[name], found[name]


def _named(mapping: dict[Any, Any]) -> dict[str, Any]:
    """Keys as text; one that is an object, by its place."""
    return {
        f"key {number}" if isinstance(key, Inert) else str(key): value
        for number, (key, value) in enumerate(mapping.items(), start=1)
    }


def _compare_arrays(where: str, expected: Array, found: Array, tally: Tally) -> None:
    for what, one, other in (("shape", expected.shape, found.shape), ("type", expected.type, found.type)):
        if one != other:
            tally.missing(f"the {what} of {where} is {other} instead of {one}")
            return
    if expected.content == found.content:
        return
    try:
        numpy: Any = import_module("numpy")
        before, after = (numpy.frombuffer(array.content, dtype=array.type) for array in (expected, found))
    except (ImportError, ValueError, TypeError):
        tally.others(where, _Bytes(expected.content), _Bytes(found.content))
        return
    tally_elements(numpy, before, after, tally, where)


def _kind(value: Any) -> str:
    if isinstance(value, Inert):
        return f"`{value.name}`"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return "an array" if isinstance(value, Array) else type(value).__name__


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


class _Bytes(bytes):
    """Bytes that are shown by their number."""

    def __repr__(self) -> str:
        return f"other {len(self)} bytes"
