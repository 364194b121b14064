"""Attestations: what is signed, what keeps it, and what is told of one that does not fit."""

from __future__ import annotations

import json

import pytest

from mlproj.errors import Altered, StoreError
from mlproj.exports.dsse import sealed
from mlproj.exports.intoto import BUILDER, PAYLOAD_TYPE, statement
from mlproj.model.digest import Digest, canonical
from mlproj.model.record import ATTESTED
from mlproj.services.attestation import attest, check_envelope
from mlproj.services.checkpoint import read_checkpoint
from tests.services.attested import KEY, OTHER, Attested, attested, made
from tests.store.arrivals import arrived

__all__ = ["attested", "made"]


def test_an_attestation_is_kept_with_its_run_and_checked(attested: Attested) -> None:
    verification, attestations = attested.verified(KEY)
    assert verification.sound and verification.entries == 4
    [found] = attestations.found
    assert (found.run_name, found.envelope) == ("second", Digest.of(attested.envelope))
    assert [(one.keyid, one.key) for one in found.signatures] == [(KEY.keyid, "its own")]
    _, attestations = attested.verified(OTHER)
    assert [one.key for one in attestations.found[0].signatures] == [None]


def test_what_is_attested_follows_from_the_record_alone(attested: Attested) -> None:
    run = attested.store.find("second")
    found = check_envelope(attested.envelope, [KEY.public])
    assert found.run_id == run.run_id and found.fits(run)
    assert not found.fits(attested.store.find("third"))
    assert {"model.bin", "report"} == set(found.subjects)
    # made again, it is the same but for who signs
    attest(attested.store, run, OTHER, BUILDER)
    verification, attestations = attested.verified(KEY, OTHER)
    assert verification.sound and len(attestations.found) == 2


def test_a_run_that_was_altered_is_not_attested(attested: Attested) -> None:
    attested.store.blobs.path(Digest.of(b"model of third")).write_bytes(b"another")
    with pytest.raises(Altered, match=r"model\.bin"):
        attest(attested.store, attested.store.find("third"), KEY, BUILDER)


def test_what_came_from_elsewhere_is_not_attested(attested: Attested) -> None:
    foreign = arrived(attested.store, "foreign")
    with pytest.raises(StoreError, match="cannot be attested"):
        attest(attested.store, foreign, KEY, BUILDER)


def test_an_envelope_that_is_gone_or_changed_is_named(attested: Attested) -> None:
    blob = attested.store.blobs.path(Digest.of(attested.envelope))
    blob.write_bytes(attested.envelope.replace(b"keyid", b"keyie"))
    part = f"{ATTESTED}.4"
    for said in ("has been altered", "is missing"):
        [problem] = attested.verified(KEY)[0].problems
        assert (problem.run_name, problem.part) == ("second", part) and said in problem.message
        blob.unlink(missing_ok=True)


def forged(attested: Attested, envelope: bytes) -> None:
    """Keeps another envelope with the second run, in an entry of its own."""
    digest = attested.store.blobs.add_bytes(envelope)
    attested.store.amend(attested.store.find("second").run_id, ATTESTED, {"envelope": digest, "key": "x"})


def test_a_statement_that_says_something_else_than_the_record_is_named(attested: Attested) -> None:
    document = statement(attested.store.find("second"), BUILDER)
    document["predicate"]["buildDefinition"]["externalParameters"]["parameters"]["alpha"] = 0.1
    forged(attested, sealed(PAYLOAD_TYPE, canonical(document), [KEY]))
    verification, attestations = attested.verified(KEY)
    [problem] = verification.problems
    assert problem.part == f"{ATTESTED}.5" and "does not say what the record says" in problem.message
    assert len(attestations.found) == 1


def test_a_signature_that_is_not_by_the_key_it_names_is_named(attested: Attested) -> None:
    document = json.loads(attested.envelope)
    document["signatures"][0]["keyid"] = OTHER.keyid
    forged(attested, canonical(document))
    for keys in ((KEY,), (OTHER,), (KEY, OTHER)):
        [problem] = attested.verified(*keys)[0].problems
        assert problem.part == f"{ATTESTED}.5"


def test_an_amendment_that_names_no_envelope_is_named(attested: Attested) -> None:
    with pytest.raises(StoreError, match="cannot be amended"):
        attested.store.amend(attested.store.find("second").run_id, ATTESTED, {"envelope": "none"})


def test_an_attestation_goes_only_with_its_run(attested: Attested) -> None:
    keeper, digest = attested.store.housekeeper, Digest.of(attested.envelope)
    keeper.remove(keeper.garbage(grace_s=0))
    assert digest in attested.store.blobs and attested.verified()[0].sound
    run_id = attested.store.find("second").run_id
    attested.store.hide(run_id)
    assert digest in keeper.garbage(without=[run_id]).blobs
    keeper.forget([run_id], who="ada", why="test")
    keeper.remove(keeper.garbage(grace_s=0))
    assert digest not in attested.store.blobs
    verification, attestations = attested.verified()
    assert verification.sound and verification.removed == (run_id,) and not attestations.found


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "payload", [DEEP, b"[]", b"1", b"\xff\xfe{", b'{"_type":"x","_type":"y"}', b'{"a":' + b"1" * 9999 + b"}"]
)
def test_a_payload_that_is_no_statement_is_told(payload: bytes) -> None:
    with pytest.raises(Altered):
        check_envelope(sealed(PAYLOAD_TYPE, payload, [KEY]), [KEY.public])
    with pytest.raises(Altered):
        check_envelope(b'{"payload":"","payloadType":"x","signatures":[],"more":' + payload + b"}")


def test_neither_kind_of_envelope_passes_for_the_other(attested: Attested) -> None:
    with pytest.raises(Altered, match="checkpoint"):
        check_envelope(attested.checkpoint, [KEY.public])
    with pytest.raises(Altered, match="in-toto"):
        read_checkpoint(attested.envelope, "envelope.json", [KEY.public])
