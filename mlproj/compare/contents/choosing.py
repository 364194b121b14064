"""Which comparer reads a file: the one that its name asks for, then whatever its first bytes are of."""

from __future__ import annotations

import posixpath
from functools import partial
from importlib import import_module
from typing import Any

from mlproj.compare.judgement import Judgement, Likeness, unknown
from mlproj.model.tolerance import Tolerance

_PACKAGE = "mlproj.compare.contents"
_DEEPEST = 4
"""Archives within archives that are opened."""

BY_NAME = {
    ".json": "documents:compare_json",
    ".ipynb": "documents:compare_json",
    ".yaml": "yamls:compare_yaml",
    ".yml": "yamls:compare_yaml",
    "mlmodel": "yamls:compare_mlmodel",
    ".csv": "tables:compare_csv",
    ".tsv": "tables:compare_csv",
    ".parquet": "tables:compare_parquet",
    ".npy": "arrays:compare_npy",
    ".png": "pictures:compare_png",
    ".pkl": "pickles:compare_pickles",
    ".pickle": "pickles:compare_pickles",
    ".joblib": "pickles:compare_pickles",
}
BY_FIRST_BYTES = (
    (b"\x93NUMPY", "arrays:compare_npy"),
    (b"\x89PNG\r\n", "pictures:compare_png"),
    (b"PAR1", "tables:compare_parquet"),
    (b"PK\x03\x04", "archives:compare_zip"),
    (b"\x1f\x8b", "archives:compare_gzip"),
    (b"\x80", "pickles:compare_pickles"),
    (b"x", "pickles:compare_pickles"),
    (b"", "texts:compare_text"),
)
_OF_MANY = frozenset(("archives:compare_zip", "archives:compare_gzip"))


def compare_contents(
    name: str, expected: bytes, found: bytes, tolerance: Tolerance, *, depth: int = 0
) -> Judgement:
    """How like two contents of the file of this name are. They may be anything: nothing in them is run."""
    if expected == found:
        return Judgement(likeness=Likeness.SAME, notation="bytes", why="the same bytes")
    base = posixpath.basename(name.lower())
    named = BY_NAME.get(posixpath.splitext(base)[1] or base)
    sniffed = (
        part for first, part in BY_FIRST_BYTES if expected.startswith(first) and found.startswith(first)
    )
    for part in dict.fromkeys([*([named] if named else []), *sniffed]):
        if part in _OF_MANY and depth >= _DEEPEST:
            break
        judged: Judgement | None = _comparer(part, depth)(expected, found, tolerance)
        if judged is not None:
            return judged
    return _bytes(expected, found)


def _comparer(part: str, depth: int) -> Any:
    module, _, attribute = part.partition(":")
    comparer = getattr(import_module(f"{_PACKAGE}.{module}"), attribute)
    return partial(comparer, partial(compare_contents, depth=depth + 1)) if part in _OF_MANY else comparer


def _bytes(expected: bytes, found: bytes) -> Judgement:
    pairs = enumerate(zip(expected, found, strict=False))
    first = next((place for place, (one, other) in pairs if one != other), min(len(expected), len(found)))
    sizes = "" if len(expected) == len(found) else f", {len(found)} bytes instead of {len(expected)}"
    return unknown(
        "bytes", f"the bytes differ from byte {first + 1} on{sizes}, and nothing here reads what they say"
    )
