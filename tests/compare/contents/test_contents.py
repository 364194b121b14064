"""Contents that differ as they do in life: by time stamps, formatting, rounding, or in what they say."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import joblib
import numpy
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlproj.compare.contents.choosing import BY_FIRST_BYTES, BY_NAME, compare_contents
from mlproj.compare.judgement import Likeness
from mlproj.model.tolerance import EXACT, Tolerance

SAME, CLOSE, DIFFERENT, UNKNOWN = Likeness
LOOSE = Tolerance(relative=0.01)


def zipped(*members: tuple[str, bytes], year: int = 2020, compression: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), content, compression)
    return written.getvalue()


def saved(array: Any) -> bytes:
    written = io.BytesIO()
    numpy.save(written, array)
    return written.getvalue()


def picture(value: int, *, size: int = 4, level: int = 1, off: int | None = None) -> bytes:
    written = io.BytesIO()
    made = Image.new("RGB", (size, size), (value, 0, 0))
    if off is not None:
        made.putpixel((1, 2), (off, 0, 0))
    made.save(written, "PNG", compress_level=level)
    return written.getvalue()


def parquet(columns: dict[str, list[Any]], compression: str = "snappy") -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), written, compression=compression)
    return written.getvalue()


class Model:
    """What a script may save: numbers, arrays, and other objects."""

    def __init__(self, weights: Any, name: str = "a") -> None:
        self.coef_ = numpy.asarray(weights)
        self.first_ = self.coef_[0]
        self.names_ = numpy.array(["x", name], dtype=object)
        self.parent_ = self


def dumped(model: Any, compress: int = 0) -> bytes:
    written = io.BytesIO()
    joblib.dump(model, written, compress=compress)
    return written.getvalue()


CASES: list[tuple[str, bytes, bytes, Tolerance, Likeness, str]] = [
    ("m.json", b'{"a": 1, "b": [2]}', b'{"b":[2.0],"a":1}', EXACT, SAME, "JSON: the same values"),
    ("m.json", b'{"a": 1.0}', b'{"a": 1.001}', LOOSE, CLOSE, "1 of 1 values differ within"),
    ("m.json", b'{"a": 1.0}', b'{"a": 1.001}', EXACT, DIFFERENT, "`a` is 1.001 instead of 1"),
    ("m.json", b'{"a": {"b": [1]}}', b'{"a": {"b": [1, 2]}}', EXACT, DIFFERENT, "`a.b` has 2 elements"),
    ("m.json", b'{"a": 1}', b'{"a": "1"}', EXACT, DIFFERENT, "`a` is a string instead of a number"),
    ("m.json", b'{"a": true}', b'{"a": 1}', EXACT, DIFFERENT, "`a` is a number instead of a boolean"),
    ("m.json", b'{"a": 1, "c": 1}', b'{"a": 1, "d": 1}', EXACT, DIFFERENT, "`c` is only in the first"),
    ("m.json", b"{", b"}", EXACT, DIFFERENT, "text: 1 line differs"),
    ("t.csv", b"a,b\n1,x\n", b'a,b\r\n1.0,"x"\r\n', EXACT, SAME, "CSV: the same cells"),
    ("t.csv", b"a;b\n1;x\n", b"a;b\n1.001;x\n", LOOSE, CLOSE, "line 2, `a`"),
    ("t.csv", b"a,b\n1,x\n", b"a,b\n1,y\n", LOOSE, DIFFERENT, "line 2, `b` is `y` instead of `x`"),
    ("t.csv", b"a\n1\n", b"a\n1\n2\n", LOOSE, DIFFERENT, "it has 3 lines instead of 2"),
    ("t.tsv", b"a\tb\n1,5\t2\n", b"a\tb\n1,5\t3\n", EXACT, DIFFERENT, "`b` is 3 instead of 2"),
    ("a.txt", b"one\ntwo\n", b"one\r\ntwo", EXACT, SAME, "text: the same lines"),
    ("a.txt", b"one\ntwo\n", b"one\ntoo\n", EXACT, DIFFERENT, "1 line differs, the first is line 2"),
    (
        "x.npy",
        saved(numpy.arange(4.0)),
        saved(numpy.arange(4.0) + 1e-9),
        LOOSE,
        DIFFERENT,
        "element 0 is 1e-09",
    ),
    ("x.npy", saved(numpy.ones(4)), saved(numpy.ones(4) * 1.001), LOOSE, CLOSE, "4 of 4 elements"),
    ("x.npy", saved(numpy.ones(4)), saved(numpy.ones(5)), LOOSE, DIFFERENT, "its shape is (5,)"),
    ("x.npy", saved(numpy.ones(4)), saved(numpy.ones(4, "f4")), LOOSE, DIFFERENT, "its type is float32"),
    ("x", saved(numpy.ones(2)), saved(numpy.asfortranarray(numpy.ones(2)) + 1), EXACT, DIFFERENT, "element"),
    ("p.png", picture(9, level=0), picture(9, level=9), EXACT, SAME, "PNG: the same pixels"),
    ("p.png", picture(9), picture(9, off=10), EXACT, DIFFERENT, "1 of 16 pixels differ, at most by 1 of 255"),
    ("p.png", picture(9), picture(9, off=10), Tolerance(absolute=1), CLOSE, "1 of 16 pixels"),
    ("p.png", picture(9), picture(9, size=5), LOOSE, DIFFERENT, "5 x 5 pixels instead of 4 x 4"),
    ("d.parquet", parquet({"a": [1.0]}), parquet({"a": [1.0]}, "gzip"), EXACT, SAME, "the same cells"),
    ("d.parquet", parquet({"a": [1.0]}), parquet({"a": [1.001]}), LOOSE, CLOSE, "row 1, `a`"),
    ("d.parquet", parquet({"a": [1]}), parquet({"b": [1]}), LOOSE, DIFFERENT, "`a` is only in the first"),
    ("d.parquet", parquet({"a": [1]}), parquet({"a": [1, 2]}), LOOSE, DIFFERENT, "2 rows instead of 1"),
    (
        *("m.pkl", pickle.dumps({"a": [1.5]}, 2), pickle.dumps({"a": [1.5]}, 5), EXACT),
        *(SAME, "pickle"),
    ),
    ("m.pkl", pickle.dumps(OrderedDict), pickle.dumps(OrderedDict, 2), EXACT, SAME, "pickle"),
    ("m.pkl", pickle.dumps(Model([1.5])), pickle.dumps(Model([1.501])), LOOSE, CLOSE, "within"),
    ("m.pkl", pickle.dumps(Model([1, 2])), pickle.dumps(Model([1, 3])), LOOSE, DIFFERENT, "of coef_"),
    ("m.joblib", dumped(Model([1.5])), dumped(Model([1.501])), LOOSE, CLOSE, "2 of"),
    ("m.joblib", dumped(Model([1.5])), dumped(Model([1.5]), 3), EXACT, SAME, "written differently"),
    ("m.joblib", dumped(Model([1.5, 2.0])), dumped(Model([1.5])), LOOSE, DIFFERENT, "the shape of coef_"),
    ("m.joblib", dumped(Model([1.5])), dumped(Model([1.5], "b")), LOOSE, DIFFERENT, "`b` instead of `a`"),
    ("m.pkl", pickle.dumps([1.5, 2.5]), pickle.dumps([1.5, 2.5001]), LOOSE, CLOSE, "pickle: 1 of"),
    ("m.pkl", pickle.dumps([1.5]), pickle.dumps([9.5]), LOOSE, DIFFERENT, "is 9.5 instead of 1.5"),
    ("m.pkl", pickle.dumps(OrderedDict), pickle.dumps(dict), LOOSE, DIFFERENT, "instead of"),
    ("z", zipped(("a", b"1")), zipped(("a", b"1"), year=2021), EXACT, SAME, "packed differently"),
    (
        *("z", zipped(("a", b"1"), ("b", b"2")), zipped(("b", b"2"), ("a", b"1")), EXACT),
        *(SAME, "packed differently"),
    ),
    (
        "z",
        zipped(("a.json", b"[1]")),
        zipped(("a.json", b"[2]")),
        EXACT,
        DIFFERENT,
        "`a.json`: `[0]` is 2 instead of 1",
    ),
    ("z", zipped(("a", b"1")), zipped(("b", b"1")), EXACT, DIFFERENT, "`a` is only in the first"),
    (
        *("z.npz", zipped(("x.npy", saved(numpy.ones(2)))), zipped(("x.npy", saved(numpy.ones(2) * 1.001)))),
        *(LOOSE, CLOSE, "`x.npy`: 2 of 2 elements"),
    ),
    (
        "g.csv.gz",
        gzip.compress(b"a", mtime=1),
        gzip.compress(b"a", mtime=2),
        EXACT,
        SAME,
        "packed differently",
    ),
    ("b.bin", b"\xff\x00\x01", b"\xff\x00\x02\x03", LOOSE, UNKNOWN, "from byte 3 on, 4 bytes instead of 3"),
]


@pytest.mark.parametrize(("name", "expected", "found", "tolerance", "likeness", "why"), CASES)
def test_two_contents_are_judged(
    name: str, expected: bytes, found: bytes, tolerance: Tolerance, likeness: Likeness, why: str
) -> None:
    judged = compare_contents(name, expected, found, tolerance)
    assert judged.likeness is likeness, judged
    assert why in f"{judged.notation}: {judged.why}"


def test_the_same_bytes_are_the_same_whatever_they_are() -> None:
    assert compare_contents("a.json", b"\xff", b"\xff", EXACT).likeness is SAME


def test_a_pickle_is_never_run() -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
            return exec, ("raise AssertionError('it was run')",)

    for trap in (pickle.dumps(Trap()), pickle.dumps(Trap(), 0), dumped({"a": Trap()})):
        judged = compare_contents("m.pkl", trap, pickle.dumps([1]), EXACT)
        assert judged.likeness is DIFFERENT


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_pickle_is_judged_all_the_same(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([dumped(Model([1.5, 2.5])), pickle.dumps(Model([1.5]), 4)]))
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] = data.draw(st.integers(0, 255))
    judged = compare_contents("m.joblib", whole, bytes(damaged), LOOSE)
    assert judged.why


def test_deep_documents_and_archives_are_no_trap() -> None:
    deep = b"[" * 100_000
    assert compare_contents("a.json", deep, deep + b"1", EXACT).likeness is DIFFERENT
    nested = b"1", b"2"
    for _ in range(50):
        nested = zipped(("z", nested[0])), zipped(("z", nested[1]))
    assert compare_contents("z", *nested, EXACT).likeness is UNKNOWN
    bomb = zipped(("a", bytes(300 << 20)), compression=zipfile.ZIP_DEFLATED)
    other = zipped(("a", bytes(300 << 20) + b"1"), compression=zipfile.ZIP_DEFLATED)
    assert compare_contents("z", bomb, other, EXACT).likeness is UNKNOWN


NAMES = st.sampled_from([f"a{suffix}" for suffix in (*BY_NAME, "", ".zip")])
STARTS = st.sampled_from([start for start, _ in BY_FIRST_BYTES])


@settings(max_examples=300, deadline=None)
@given(NAMES, STARTS, st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_judged(name: str, start: bytes, one: bytes, other: bytes) -> None:
    judged = compare_contents(name, start + one, start + other, LOOSE)
    assert judged.likeness in Likeness and judged.why
    assert (one != other) or judged.likeness is SAME


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_the_same_however_it_is_written(value: Any) -> None:
    plain = json.dumps(value).encode()
    other = json.dumps(value, indent=3, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    assert compare_contents("a.json", plain, other, EXACT).likeness is SAME
