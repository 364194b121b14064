"""NumPy's arrays, element by element, where NumPy is installed. Objects in them are never unpickled."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

from mlproj.compare.judgement import Judgement, Likeness, Tally, unknown
from mlproj.model.tolerance import Tolerance

NOTATION = "NumPy array"
MAGIC = b"\x93NUMPY"


def compare_npy(expected: bytes, found: bytes, tolerance: Tolerance) -> Judgement | None:
    """None where one of the two is no array of numbers, text or times."""
    if not (expected.startswith(MAGIC) and found.startswith(MAGIC)):
        return None  # NumPy would try other notations
    try:
        numpy: Any = import_module("numpy")
    except ImportError:
        return unknown(NOTATION, "`pip install mlproj[compare]` brings what reads it")
    try:
        before, after = (numpy.load(io.BytesIO(content), allow_pickle=False) for content in (expected, found))
    except (ValueError, EOFError, OSError, MemoryError):
        return None
    if before.dtype.itemsize == 0:  # of elements that take no room there can be any number
        return None
    for what, one, other in (("shape", before.shape, after.shape), ("type", before.dtype, after.dtype)):
        if one != other:
            return Judgement(
                likeness=Likeness.DIFFERENT, notation=NOTATION, why=f"its {what} is {other} instead of {one}"
            )
    return _elements(numpy, before, after, tolerance)


def _elements(numpy: Any, before: Any, after: Any, tolerance: Tolerance) -> Judgement:
    tally = Tally(tolerance=tolerance, unit="element")
    tally_elements(numpy, before, after, tally)
    return tally.judgement(NOTATION, "the same elements, stored differently")


def tally_elements(numpy: Any, before: Any, after: Any, tally: Tally, within: str = "") -> None:
    """Counts how the elements of two arrays of one shape and type differ, which are `within` something."""
    differing = before != after
    tally.compared += before.size - int(numpy.count_nonzero(differing))
    is_number = before.dtype.kind in "iuf"
    for place in zip(*numpy.nonzero(differing), strict=True):
        where = f"element {', '.join(str(int(index)) for index in place)}"
        where = f"{where} of {within}" if within else where
        one, other = before[place].item(), after[place].item()
        if is_number:
            tally.numbers(where, one, other)
        elif not (one != one and other != other):
            tally.others(where, one, other)
