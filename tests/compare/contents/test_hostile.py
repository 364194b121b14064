"""Files that are small, and made so that whoever compares them takes for ever or fills the memory."""

from __future__ import annotations

import json
import pickle
import struct

import pytest

from mlproj.compare.contents.choosing import compare_contents
from mlproj.compare.judgement import Likeness
from mlproj.model.tolerance import EXACT

DEEP = 60
ONE_IN_ANOTHER = b"".join(
    b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(DEEP)
)
"""A tuple of two that are both the tuple before, of 2 ** 60 if it were written out."""


def array(header: bytes, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize("end", [b"\x91.", b"K\x01s."])
def test_a_pickle_whose_keys_nobody_can_hash(end: bytes) -> None:
    start = b"\x80\x04(" if end[:1] == b"\x91" else b"\x80\x04}"
    judged = compare_contents("x.pkl", start + b")q\x00" + ONE_IN_ANOTHER + end, b"\x80\x04N.", EXACT)
    assert judged.likeness is Likeness.UNKNOWN


def test_the_same_tuple_many_times_is_read() -> None:
    pair = (1, 2)
    one, other = (pickle.dumps([pair] * 1000 + [last]) for last in (3, 4))
    judged = compare_contents("x.pkl", one, other, EXACT)
    assert (judged.likeness, judged.notation) == (Likeness.DIFFERENT, "pickle")


def test_places_with_long_names_are_told_by_their_ends() -> None:
    one, other = (json.dumps({"k" * 10**7: list(range(start, start + 1000))}).encode() for start in (0, 1))
    judged = compare_contents("x.json", one, other, EXACT)
    assert judged.likeness is Likeness.DIFFERENT and len(judged.why) < 300 and "[0]` is 1" in judged.why


def test_keys_of_yaml_may_be_anything() -> None:
    judged = compare_contents("x.yaml", b"1: {2: a}\n", b"1: {2: b}\n", EXACT)
    assert judged.why == "`1.2` is `b` instead of `a`"


def test_lines_that_repeat_are_not_matched_for_ever() -> None:
    one, other = (b"\n".join(b"a\n%c%d" % (letter, n) for n in range(9900)) for letter in b"bc")
    assert compare_contents("x.txt", one, other, EXACT).why == "its lines differ from line 2 on"


def test_an_array_of_nothing_has_no_elements_to_compare() -> None:
    header = b"{'descr':'|S0','fortran_order':False,'shape':(100000000000,)}%s\n"
    judged = compare_contents("x.npy", array(header % b" "), array(header % b"  "), EXACT)
    assert judged.likeness is Likeness.UNKNOWN
