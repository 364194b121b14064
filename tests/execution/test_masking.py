"""A secret is taken out of a stream however the stream is cut, and nothing else is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mlproj.execution.masking import Mask

SECRET = "aab-secret"


def masked(pieces: list[bytes]) -> bytes:
    mask = Mask(SECRET)
    return b"".join([*map(mask.feed, pieces), mask.rest()])


@given(
    st.lists(st.sampled_from([b"a", b"aa", b"aab", b"aab-secret", b"-secre", b"t", b"secret", b"\n", b"x"])),
    st.lists(st.integers(0, 200)),
)
def test_what_comes_out_is_the_whole_without_the_secret(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    pieces = [whole[begin:end] for begin, end in pairwise(places)]
    assert masked(pieces) == whole.replace(SECRET.encode(), b"***")


def test_a_line_that_cannot_end_within_the_secret_is_not_held() -> None:
    mask = Mask(SECRET)
    assert mask.feed(b"name? ") == b"name? "
    assert mask.feed(b"half a") == b"half "
    assert mask.rest() == b"a"
