"""Pickles by what they would build, without building it: a pickle can run anything."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

from mlproj.compare.judgement import Judgement, Tally
from mlproj.model.tolerance import Tolerance

_FRAMING = frozenset(("PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"))
"""Operations that say how a pickle is written, and build nothing."""
_MOST_OPERATIONS = 5_000_000

Step = tuple[str, Any]


def compare_pickles(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """Two pickles by their operations. None where one of the two is none to its end, such as a joblib file
    with arrays between."""
    if not (expected[:1] == found[:1] == b"\x80"):
        return None
    try:
        before, after = (list(_steps(content)) for content in (expected, found))
    except ValueError:
        return None
    tally = Tally(tolerance=tolerance, unit="value")
    if len(before) != len(after):
        tally.missing(f"it takes {len(after)} steps to build instead of {len(before)}")
    for number, (one, other) in enumerate(zip(before, after, strict=False), start=1):
        where = f"step {number} ({one[0].lower()})"
        if one[0] != other[0]:
            tally.missing(f"step {number} is {other[0].lower()} instead of {one[0].lower()}")
            break
        if isinstance(one[1], float) and isinstance(other[1], float):
            tally.numbers(where, one[1], other[1])
        elif isinstance(one[1], bytes) and isinstance(other[1], bytes):
            tally.others(where, _Bytes(one[1]), _Bytes(other[1]))
        else:
            tally.others(where, one[1], other[1])
    return tally.judgement("pickle", "the same objects, written differently")


class _Bytes(bytes):
    """Bytes that are shown by their number."""

    def __repr__(self) -> str:
        return f"other {len(self)} bytes"


def _steps(content: bytes) -> Iterator[Step]:
    """What a pickle does, step by step. Raises ValueError where it is no pickle to its end."""
    end = 0
    for count, (operation, argument, place) in enumerate(pickletools.genops(content)):
        if count > _MOST_OPERATIONS or place is None:
            raise ValueError("too many steps")
        end = place + 1
        if operation.name not in _FRAMING:
            yield operation.name, argument
    if end != len(content):
        raise ValueError("something follows the pickle")
