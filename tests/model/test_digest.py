"""The quick way to canonical JSON, beside the library that does it by the letter."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from mlproj.model.digest import Digest, canonical, find_in_manifest, folder_manifest, is_canonical
from mlproj.model.record import EntryKind, link, link_document

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    | st.sampled_from((0.0, -0.0, 1.0, 1e-6, 1e-7, 1e15, 1e16, 1e20, 1e21, 123456789012345680000.0, 5e-324))
)
TEXTS = st.text() | st.sampled_from(
    ("\x00\x1f\x7f", '"\\/', "\u2028", "\ufb01", "\U0001f600", ":1e5", '":1.0,', "[0000000000000000")
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(value=VALUES)
@example(value=1.0)
@example(value=[1.0])
@example(value=[-1.5, 2.0])
@example(value={"\ufb01": 1, "\U0001f600": 2})
def test_canonical_json_is_what_the_library_makes_of_it(value: Any) -> None:
    content = rfc8785.dumps(value)
    assert canonical(value) == content
    assert is_canonical(content)


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}, 2**53, ["\ud800"], {1: 2, "a": 3}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


SPELLINGS = (
    *("1.0", "[1e5]", "[1,1.0]", '{"a":-0}', '{"a":9007199254740993}', '{"a":0.0000001}', "[1 ]"),
    *('{"b":1,"a":2}', '{"a":1,"a":1}', '["\\u0041"]', '["\\/"]', '{"\ufb01":2,"\U0001f600":1}'),
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_another_spelling_is_not_canonical(text: str) -> None:
    assert rfc8785.dumps(json.loads(text, parse_int=float)) != text.encode()
    assert not is_canonical(text.encode())


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError):
        is_canonical(b"{")


@given(st.integers(0, 2**53 - 1), st.text(), st.text())
def test_a_link_is_the_digest_of_its_canonical_document(sequence: int, run_id: str, time: str) -> None:
    digest = Digest.of(b"")
    document = link_document(
        sequence=sequence, kind=EntryKind.RUN, run_id=run_id, time=time, digest=digest, previous=digest
    )
    found = link(
        sequence=sequence, kind=EntryKind.RUN, run_id=run_id, time=time, digest=digest, previous=digest
    )
    assert found == Digest.of(canonical(document))


NAMES = st.binary(min_size=1, max_size=8) | st.text("ab \\\n\r", min_size=1, max_size=4).map(str.encode)


@given(st.dictionaries(NAMES, st.binary(max_size=2), max_size=8), NAMES)
def test_a_file_is_found_in_a_manifest_without_reading_the_others(
    files: dict[bytes, bytes], other: bytes
) -> None:
    """Names may look like the end of another line."""
    digests = {path: Digest.of(content) for path, content in files.items()}
    manifest = folder_manifest(digests.items())
    for path in (*digests, other):
        assert find_in_manifest(manifest, path) == digests.get(path)
