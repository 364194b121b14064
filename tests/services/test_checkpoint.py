"""The chain and a checkpoint of it: what was cut off, put in its place or rewritten is missed."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import Altered, UsageError
from mlproj.exports.dsse import sealed
from mlproj.model.digest import Digest
from mlproj.model.record import GENESIS, EntryKind, link
from mlproj.services import checkpoint
from mlproj.services.checkpoint import Growth, note, read_checkpoint
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.opening import open_store
from tests.services.attested import KEY, NOON, OTHER, Attested, attested, made, record

__all__ = ["attested", "made"]

PLACES = st.integers(min_value=0, max_value=10**6)
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


NOTED = b'{"first":"%s","link":"%s","origin":"here","schema":"mlproj/checkpoint/1","sequence":%s,"time":"x"}'
ZEROS = str(GENESIS).encode()


@pytest.mark.parametrize("sequence", [b"-1", b"9" * 30, b'5,"sequence":0', b"1.5", b" 1"])
def test_a_checkpoint_has_one_spelling(sequence: bytes) -> None:
    content = sealed(checkpoint.PAYLOAD_TYPE, NOTED % (ZEROS, ZEROS, sequence), [KEY])
    with pytest.raises(Altered):
        read_checkpoint(content, "checkpoint.json", [KEY.public])
