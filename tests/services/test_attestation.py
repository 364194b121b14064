"""Attestations and checkpoints: what is signed, and that no change of it goes unseen."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import Altered, MlprojError, StoreError, UsageError
from mlproj.exports.dsse import sealed
from mlproj.exports.intoto import BUILDER, PAYLOAD_TYPE, statement
from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.model.digest import Digest, canonical
from mlproj.model.record import ATTESTED, GENESIS, EntryKind, link
from mlproj.model.run import Run
from mlproj.services import checkpoint
from mlproj.services.attestation import Attestations, attest, check_envelope
from mlproj.services.checkpoint import Growth, note, read_checkpoint
from mlproj.services.findings import Problem
from mlproj.services.verify import Verification, verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.arrivals import arrived
from tests.store.runs import begun, ended

KEY, OTHER = PrivateKey.new(KeyType.ED25519), PrivateKey.new(KeyType.ECDSA)
NOON = "2026-11-24T12:00:00.000Z"


def record(store: FolderStore, name: str) -> Run:
    run = begun(store.blobs, name=name)
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=b"model of " + name.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """A store with three runs, of which the second is attested, and a checkpoint of it as it is."""

    store: FolderStore
    envelope: bytes
    checkpoint: bytes

    def execute(self, *statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.store.root / FILE)) as connection, connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, "the tampering changed nothing"

    def verified(self, *keys: PrivateKey) -> tuple[Verification, Attestations]:
        attestations = Attestations([key.public for key in keys])
        return verify(self.store, further=[attestations]), attestations

    def against(self) -> tuple[Problem, ...]:
        noted = read_checkpoint(self.checkpoint, "checkpoint.json", [KEY.public])
        return verify(self.store, further=[Growth(noted)]).problems


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    root = tmp_path_factory.mktemp("attested") / ".mlproj"
    store = open_store(root, create=True)
    for name in ("first", "second", "third"):
        record(store, name)
    envelope = attest(store, store.find("second"), KEY, BUILDER)
    noted = note(store, KEY, "here", NOON)
    store.close()
    return root, envelope, noted


@pytest.fixture
def attested(made: tuple[Path, bytes, bytes], tmp_path: Path) -> Iterator[Attested]:
    root, envelope, noted = made
    shutil.copytree(root, tmp_path / ".mlproj")
    store = open_store(tmp_path / ".mlproj", create=False)
    yield Attested(store=store, envelope=envelope, checkpoint=noted)
    store.close()


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


# -- every leaf of what is signed ------------------------------------------------------------------------


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


# -- the chain, and a checkpoint of it -------------------------------------------------------------------

COLUMNS = ("sequence", "kind", "run_id", "time", "digest", "previous", "link", "payload")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    column=st.sampled_from(COLUMNS),
    entry=st.integers(min_value=1, max_value=4),
    place=PLACES,
    bit=st.integers(min_value=0, max_value=6),
)
def test_a_change_of_any_cell_of_the_chain_is_noticed(
    attested: Attested, column: str, entry: int, place: int, bit: int
) -> None:
    with contextlib.closing(sqlite3.connect(attested.store.root / FILE)) as connection:
        where = f'SELECT "{column}" FROM entries WHERE sequence = ?'
        [(cell,)] = connection.execute(where, (entry,)).fetchall()
        put = f'UPDATE entries SET "{column}" = ? WHERE sequence = ?'
        if column == "sequence":
            new: Any = 100 + place
        else:
            raw = bytearray(cell if isinstance(cell, bytes) else cell.encode())
            raw[place % len(raw)] ^= 1 << bit
            new = bytes(raw) if isinstance(cell, bytes) else raw.decode("utf-8", "replace")
        with connection:
            assert connection.execute(put, (new, entry)).rowcount == 1
        try:
            assert not attested.verified(KEY)[0].sound
        finally:
            with connection:
                connection.execute(put, (cell, new if column == "sequence" else entry))


@pytest.mark.parametrize("table", ["chain"])
@pytest.mark.parametrize("change", ["sequence = sequence + 1", "sequence = sequence - 1", "link = 'x'"])
def test_a_change_of_the_note_of_the_end_is_noticed(attested: Attested, table: str, change: str) -> None:
    attested.execute(f"UPDATE {table} SET {change}")
    assert not attested.verified()[0].sound


def test_a_store_that_only_grew_goes_on_from_its_checkpoint(attested: Attested) -> None:
    assert attested.against() == ()
    record(attested.store, "fourth")
    attested.store.rename(attested.store.find("first").run_id, "renamed")
    assert attested.against() == ()


def cut(attested: Attested, after: int) -> None:
    """Takes the entries after one away with all their traces, so that the chain itself shows nothing."""
    with contextlib.closing(sqlite3.connect(attested.store.root / FILE)) as connection, connection:
        runs = "SELECT run_id, number FROM runs WHERE sequence > ?"
        for run_id, number in connection.execute(runs, (after,)).fetchall():
            connection.execute("DELETE FROM metric_points WHERE run = ?", (number,))
            for table in ("params", "latest_metrics", "tags", "inputs", "outputs", "runs"):
                connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
        connection.execute("DELETE FROM entries WHERE sequence > ?", (after,))
        connection.execute(
            "UPDATE chain SET sequence = coalesce((SELECT max(sequence) FROM entries), 0), link ="
            " coalesce((SELECT link FROM entries ORDER BY sequence DESC LIMIT 1), ?)",
            (GENESIS,),
        )


def rewrite(attested: Attested, first: int) -> None:
    """Makes the chain anew from one entry on, at another time, every link as it should be."""
    with contextlib.closing(sqlite3.connect(attested.store.root / FILE)) as connection, connection:
        rows = connection.execute(
            "SELECT sequence, kind, run_id, digest, previous FROM entries"
            " WHERE sequence >= ? ORDER BY sequence",
            (first,),
        ).fetchall()
        previous = Digest(rows[0][4])
        for sequence, kind, run_id, digest, _ in rows:
            new = link(
                sequence=sequence,
                kind=EntryKind(kind),
                run_id=run_id,
                time=NOON,
                digest=Digest(digest),
                previous=previous,
            )
            connection.execute(
                "UPDATE entries SET time = ?, previous = ?, link = ? WHERE sequence = ?",
                (NOON, previous, new, sequence),
            )
            previous = new
        connection.execute("UPDATE chain SET link = ?", (previous,))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_entries_removed_from_the_end_are_missed_with_a_checkpoint(attested: Attested, after: int) -> None:
    cut(attested, after)
    assert verify(attested.store).sound, "the chain alone cannot tell"
    [problem] = attested.against()
    assert problem.part == checkpoint.PART
    assert f"entries were taken away: the checkpoint of {NOON} noted 4" in problem.message
    assert f"ends at {after}" in problem.message


def test_an_entry_removed_and_another_put_in_its_place_is_noticed(attested: Attested) -> None:
    cut(attested, 3)
    record(attested.store, "another")
    assert verify(attested.store).sound
    [problem] = attested.against()
    assert "the chain was rewritten: entry 4" in problem.message


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_chain_rewritten_whole_or_in_part_is_noticed(attested: Attested, first: int) -> None:
    rewrite(attested, first)
    assert verify(attested.store).sound, "the chain alone cannot tell"
    [problem] = attested.against()
    said = "another chain" if first == 1 else "the chain was rewritten"
    assert problem.part == checkpoint.PART and said in problem.message


def test_another_chain_is_noticed(attested: Attested, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other", create=True)
    for name in ("first", "second", "third", "fourth", "fifth"):
        record(other, name)
    noted = read_checkpoint(attested.checkpoint, "it", [KEY.public])
    [problem] = verify(other, further=[Growth(noted)]).problems
    assert "another chain" in problem.message and "`here`" in problem.message


def test_a_checkpoint_of_an_empty_chain_holds_for_every_chain(attested: Attested, tmp_path: Path) -> None:
    empty = open_store(tmp_path / "empty", create=True)
    noted = read_checkpoint(note(empty, KEY, "empty", NOON), "it", [KEY.public])
    assert (noted.checkpoint.sequence, noted.checkpoint.link) == (0, GENESIS)
    assert verify(attested.store, further=[Growth(noted)]).sound


def test_a_chain_that_does_not_hold_is_not_signed(attested: Attested) -> None:
    attested.execute("UPDATE entries SET time = 'x' WHERE sequence = 2")
    with pytest.raises(Altered, match="entry 2"):
        note(attested.store, KEY, "here", NOON)
    attested.execute("DELETE FROM entries WHERE sequence > 1")
    with pytest.raises(Altered, match="its end is not the one"):
        note(attested.store, KEY, "here", NOON)


def test_a_checkpoint_by_a_key_that_nobody_named_proves_nothing(attested: Attested) -> None:
    for keys in ([], [OTHER.public]):
        with pytest.raises(UsageError, match="no key that you trust"):
            read_checkpoint(attested.checkpoint, "it", keys)
    with pytest.raises(Altered, match=r"not `application/vnd\.mlproj\.checkpoint"):
        read_checkpoint(attested.envelope, "it", [KEY.public])


DEEP = b"[" * 100_000 + b"]" * 100_000
NOTED = b'{"first":"%s","link":"%s","origin":"here","schema":"mlproj/checkpoint/1","sequence":%s,"time":"x"}'
ZEROS = str(GENESIS).encode()


@pytest.mark.parametrize(
    "payload", [DEEP, b"[]", b"1", b"\xff\xfe{", b'{"_type":"x","_type":"y"}', b'{"a":' + b"1" * 9999 + b"}"]
)
def test_a_payload_that_is_no_statement_is_told(payload: bytes) -> None:
    with pytest.raises(Altered):
        check_envelope(sealed(PAYLOAD_TYPE, payload, [KEY]), [KEY.public])
    with pytest.raises(Altered):
        check_envelope(b'{"payload":"","payloadType":"x","signatures":[],"more":' + payload + b"}")


@pytest.mark.parametrize("sequence", [b"-1", b"9" * 30, b'5,"sequence":0', b"1.5", b" 1"])
def test_a_checkpoint_has_one_spelling(sequence: bytes) -> None:
    content = sealed(checkpoint.PAYLOAD_TYPE, NOTED % (ZEROS, ZEROS, sequence), [KEY])
    with pytest.raises(Altered):
        read_checkpoint(content, "checkpoint.json", [KEY.public])


def test_neither_kind_of_envelope_passes_for_the_other(attested: Attested) -> None:
    with pytest.raises(Altered, match="checkpoint"):
        check_envelope(attested.checkpoint, [KEY.public])
    with pytest.raises(Altered, match="in-toto"):
        read_checkpoint(attested.envelope, "envelope.json", [KEY.public])
