"""No change of an attestation or a checkpoint goes unseen, whichever leaf or bit of it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import Altered, MlprojError
from mlproj.exports.dsse import sealed
from mlproj.exports.intoto import BUILDER, PAYLOAD_TYPE, statement
from mlproj.model.digest import canonical
from mlproj.services.attestation import check_envelope
from mlproj.services.checkpoint import read_checkpoint
from tests.services.attested import KEY, Attested, attested, made

__all__ = ["attested", "made"]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a document something is that is neither a list nor a mapping with something in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = list(items)
    if not found:
        yield path
    for key, item in found:
        yield from leaves(item, (*path, key))


def changed(value: Any, choice: int) -> Any:
    """Another value of the same type, or of another one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 + choice
        case str() if value:
            place = choice % len(value)
            return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
        case str():
            return "x"
        case None:
            return 0
        case _:
            return [value]


def with_change(document: Any, path: tuple[str | int, ...], choice: int) -> Any:
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = changed(inner[path[-1]], choice)
    assert copy != document
    return copy


def with_payload(envelope: bytes, payload: Any) -> bytes:
    document = json.loads(envelope)
    document["payload"] = base64.b64encode(canonical(payload)).decode()
    return canonical(document)


PLACES = st.integers(min_value=0, max_value=10**6)
CHANGES = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def refused(content: bytes) -> None:
    """As an attestation, by those who have the key."""
    with pytest.raises(Altered):
        check_envelope(content, [KEY.public])


def refused_checkpoint(content: bytes) -> None:
    with pytest.raises(MlprojError) as caught:
        read_checkpoint(content, "it", [KEY.public])
    assert caught.value.exit_code in (2, 7)


@pytest.mark.parametrize("what", ["envelope", "checkpoint"])
@CHANGES
@given(place=PLACES, choice=PLACES)
def test_a_change_of_any_leaf_of_an_envelope_is_noticed(
    made: tuple[Path, bytes, bytes], what: str, place: int, choice: int
) -> None:
    content, refuse = (made[1], refused) if what == "envelope" else (made[2], refused_checkpoint)
    document = json.loads(content)
    paths = list(leaves(document))
    assert len(paths) == 4
    refuse(json.dumps(with_change(document, paths[place % len(paths)], choice)).encode())


@pytest.mark.parametrize("what", ["envelope", "checkpoint"])
def test_a_change_of_any_leaf_of_what_is_signed_is_noticed(
    made: tuple[Path, bytes, bytes], what: str
) -> None:
    content, refuse = (made[1], refused) if what == "envelope" else (made[2], refused_checkpoint)
    payload = json.loads(base64.b64decode(json.loads(content)["payload"]))
    paths = list(leaves(payload))
    assert len(paths) > (40 if what == "envelope" else 5)
    for choice, path in enumerate(paths):
        refuse(with_payload(content, with_change(payload, path, choice)))


@pytest.mark.parametrize("what", ["envelope", "checkpoint"])
@CHANGES
@given(place=PLACES, bit=st.integers(min_value=0, max_value=7))
def test_any_changed_bit_of_an_envelope_is_noticed(
    made: tuple[Path, bytes, bytes], what: str, place: int, bit: int
) -> None:
    content, refuse = (made[1], refused) if what == "envelope" else (made[2], refused_checkpoint)
    harmed = bytearray(content)
    harmed[place % len(content)] ^= 1 << bit
    with contextlib.suppress(ValueError):
        if json.loads(harmed) == json.loads(content):
            return  # white space at the end, which says nothing
    refuse(bytes(harmed))


def test_every_leaf_of_a_statement_is_held_against_the_record(attested: Attested) -> None:
    run = attested.store.find("second")
    document = statement(run, BUILDER)
    for choice, path in enumerate(leaves(document)):
        other = sealed(PAYLOAD_TYPE, canonical(with_change(document, path, choice)), [KEY])
        try:
            fits = check_envelope(other, [KEY.public]).fits(run)
        except Altered:
            continue
        # whoever ran it is the signer's own word
        assert fits is (path == ("predicate", "runDetails", "builder", "id")), path
