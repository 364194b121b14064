"""JSON: by value, whatever the order of keys, the white space and the spelling of numbers."""

from __future__ import annotations

import json
from typing import Any

from mlproj.compare.judgement import Judgement, Tally, place
from mlproj.model.tolerance import Tolerance

NOTATION = "JSON"


def compare_json(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """None where one of the two is no JSON."""
    try:
        pair = json.loads(expected), json.loads(found)
    except (ValueError, RecursionError):
        return None
    tally = Tally(tolerance=tolerance, unit="value")
    compare_values(*pair, tally)
    return tally.judgement(NOTATION, "the same values, written differently")


def compare_values(expected: Any, found: Any, tally: Tally) -> None:
    """Counts how the values of two documents, which are made of mappings, lists and single values, differ."""
    # Not by recursion: a document may be nested more deeply than Python calls.
    waiting: list[tuple[str, Any, Any]] = [("the document", expected, found)]
    while waiting:
        waiting.extend(reversed(_compare(*waiting.pop(), tally)))


def _compare(where: str, expected: Any, found: Any, tally: Tally) -> list[tuple[str, Any, Any]]:
    """Compares what is no container; returns the parts of what is one."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [
            *(key for key in expected if key not in found),
            *(key for key in found if key not in expected),
        ]:
            side = "only in the first" if key in expected else "only in the second"
            tally.missing(f"`{_path(where, key)}` is {side}")
        return [(_path(where, key), value, found[key]) for key, value in expected.items() if key in found]
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            tally.missing(f"{_named(where)} has {len(found)} elements instead of {len(expected)}")
        pairs = enumerate(zip(expected, found, strict=False))
        start = "" if where == "the document" else where
        return [(place(start, f"[{index}]"), *pair) for index, pair in pairs]
    if _is_number(expected) and _is_number(found):
        tally.numbers(_named(where), _float(expected), _float(found))
    elif type(expected) is type(found):
        tally.others(_named(where), expected, found)
    else:
        tally.missing(f"{_named(where)} is {_kind(found)} instead of {_kind(expected)}")
    return []


def _path(where: str, key: object) -> str:
    return place("", f"{key}") if where == "the document" else place(where, f".{key}")


def _named(where: str) -> str:
    return where if where == "the document" else f"`{where}`"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
