"""A secret is taken out of a stream however the stream is cut, and nothing else is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mlproj.execution.masking import FEW, Mask

SECRET = "aab-secret"


def masked(pieces: list[bytes]) -> bytes:
    mask = Mask(SECRET)
    return b"".join([*map(mask.feed, pieces), mask.end()])


@given(
    st.lists(st.sampled_from([b"a", b"aa", b"aab", b"aab-secret", b"-secre", b"t", b"secret", b"\n", b"x"])),
    st.lists(st.integers(0, 200)),
)
def test_what_comes_out_is_the_whole_without_the_secret(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    pieces = [whole[begin:end] for begin, end in pairwise(places)]
    cleaned = whole.replace(SECRET.encode(), b"***")
    begun = max((n for n in range(FEW + 1, len(SECRET)) if cleaned.endswith(SECRET[:n].encode())), default=0)
    assert masked(pieces) == (cleaned[:-begun] + b"***" if begun else cleaned)


def test_a_line_that_cannot_end_within_the_secret_is_not_held() -> None:
    mask = Mask(SECRET)
    assert mask.feed(b"name? ") == b"name? "
    assert mask.feed(b"half a") == b"half "
    assert mask.rest() == b"a"


@given(st.lists(st.integers(1, len(SECRET) - 1), max_size=3), st.sampled_from([b"", b"a", b"aa", b"aab"]))
def test_no_pause_within_the_secret_lets_all_of_it_out(cuts: list[int], before: bytes) -> None:
    places = sorted({0, len(SECRET), *cuts})
    mask, out = Mask(SECRET), b""
    for piece in (before, *(SECRET[begin:end].encode() for begin, end in pairwise(places)), b" after"):
        out += mask.feed(piece) + mask.rest()
    out += mask.end()
    assert SECRET.encode() not in out and b"secret" not in out
    assert out.endswith(b"*** after")


def test_what_only_begins_like_the_secret_comes_out_whole() -> None:
    mask = Mask(SECRET)
    assert mask.feed(b"aab-se") + mask.rest() == b"aab-se"
    assert mask.feed(b"quence") + mask.end() == b"quence"
    assert mask.feed(b"aab-secre") + mask.rest() == b""
    assert mask.feed(b"d") + mask.end() == b"aab-secred"
