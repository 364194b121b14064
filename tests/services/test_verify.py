from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlproj.errors import StoreError
from mlproj.model.digest import Digest, canonical
from mlproj.model.record import GENESIS, EntryKind, link
from mlproj.model.run import Run
from mlproj.services.findings import Problem
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import LOCK, SOURCE, begun, ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A store with three runs; the second is the one that is tampered with."""

    store: FolderStore
    run: Run
    third: Run

    @property
    def database(self) -> Path:
        return self.store.root / FILE

    def execute(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.database)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0, "the tampering changed nothing"

    def problems(self) -> tuple[Problem, ...]:
        return verify(self.store).problems

    def parts(self) -> set[tuple[str | None, str]]:
        """Run name and part of each problem."""
        return {(problem.run_name, problem.part) for problem in self.problems()}


@pytest.fixture(scope="module")
def sealed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify") / ".mlproj"
    store = open_store(root, create=True)
    for name in ("first", "second", "third"):
        run = begun(store.blobs, name=name, tags=(("team", "blue"),))
        with store.begin(run):
            store.seal(ended(store.blobs, run, model=b"model of " + name.encode()))
    store.close()
    return root


@pytest.fixture
def recorded(sealed_folder: Path, tmp_path: Path) -> Iterator[Recorded]:
    shutil.copytree(sealed_folder, tmp_path / ".mlproj")
    store = open_store(tmp_path / ".mlproj", create=False)
    yield Recorded(store=store, run=store.find("second"), third=store.find("third"))
    store.close()


def test_an_untouched_store_is_sound(recorded: Recorded) -> None:
    verification = verify(recorded.store)
    assert verification.sound
    assert (verification.entries, verification.runs, verification.removed) == (3, 3, ())
    assert verification.blobs > 10


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        ("UPDATE entries SET payload = replace(payload, '0.25', '0.24') WHERE run_id = :id", {"record"}),
        ("UPDATE entries SET payload = NULL WHERE run_id = :id", {"record"}),
        ("UPDATE entries SET payload = 'text' WHERE run_id = :id", {"record"}),
        ("UPDATE entries SET digest = :other WHERE run_id = :id", {"link", "record"}),
        ("UPDATE entries SET digest = 'none' WHERE run_id = :id", {"link", "record"}),
        ("UPDATE entries SET time = '2020-01-01T00:00:00Z' WHERE run_id = :id", {"link"}),
        ("UPDATE entries SET kind = 'amendment' WHERE run_id = :id", {"link"}),
        ("UPDATE entries SET previous = :other WHERE run_id = :id", {"link"}),
        ("UPDATE entries SET link = :other WHERE run_id = :id", {"link"}),
        ("UPDATE entries SET link = NULL || 'x', time = x'ff' WHERE run_id = :id", set()),
        ("DELETE FROM entries WHERE run_id = :id", {"record"}),
        ("UPDATE runs SET status = 'FAILED' WHERE run_id = :id", {"index.status"}),
        ("UPDATE runs SET status = 'RUNNING' WHERE run_id = :id", {"index.status"}),
        ("UPDATE runs SET status = 'NONSENSE' WHERE run_id = :id", {"index.status"}),
        ("UPDATE runs SET exit_code = 1 WHERE run_id = :id", {"index.exit_code"}),
        ("UPDATE runs SET started = 'x' WHERE run_id = :id", {"index.started"}),
        ("UPDATE runs SET ended = NULL WHERE run_id = :id", {"index.ended"}),
        ("UPDATE runs SET created = 'x' WHERE run_id = :id", {"index.created"}),
        ("UPDATE runs SET duration = 1 WHERE run_id = :id", {"index.duration"}),
        ('UPDATE runs SET "plan" = :other WHERE run_id = :id', {"index.plan"}),
        ("UPDATE runs SET commit_id = 'x' WHERE run_id = :id", {"index.commit"}),
        ("UPDATE runs SET dirty = 1 WHERE run_id = :id", {"index.dirty"}),
        ("UPDATE runs SET project = 'x' WHERE run_id = :id", {"index.project"}),
        ("UPDATE runs SET entry_point = 'x' WHERE run_id = :id", {"index.entry_point"}),
        ("UPDATE runs SET user_name = 'x' WHERE run_id = :id", {"index.user"}),
        ("UPDATE runs SET host = 'x' WHERE run_id = :id", {"index.host"}),
        ("UPDATE runs SET parent = 'x' WHERE run_id = :id", {"index.parent"}),
        ("UPDATE runs SET reproduces = 'x' WHERE run_id = :id", {"index.reproduces"}),
        ("UPDATE runs SET record = :other WHERE run_id = :id", {"index.record"}),
        ("UPDATE runs SET sequence = 99 WHERE run_id = :id", {"index.sequence"}),
        ("UPDATE runs SET experiment_id = 99 WHERE run_id = :id", {"index.experiment"}),
        ("UPDATE params SET value = '0.4' WHERE run_id = :id AND \"key\" = 'alpha'", {"index.params"}),
        ("UPDATE params SET number = 9 WHERE run_id = :id AND \"key\" = 'alpha'", {"index.params"}),
        ("DELETE FROM params WHERE run_id = :id", {"index.params"}),
        ("UPDATE latest_metrics SET value = 0.1 WHERE run_id = :id", {"index.metrics"}),
        ("UPDATE latest_metrics SET value = NULL WHERE run_id = :id", {"index.metrics"}),
        (
            "INSERT INTO latest_metrics (run_id, key, value, step) VALUES (:id, 'new', 1, 1)",
            {"index.metrics"},
        ),
        ("UPDATE tags SET value = 'red' WHERE run_id = :id", {"index.tags"}),
        ("UPDATE inputs SET digest = :other WHERE run_id = :id", {"index.inputs"}),
        ("UPDATE outputs SET size = 1 WHERE run_id = :id", {"index.outputs"}),
    ],
)
def test_a_changed_cell_is_named_with_run_and_part(
    recorded: Recorded, statement: str, parts: set[str]
) -> None:
    with contextlib.closing(sqlite3.connect(recorded.database)) as connection:
        values = {"id": recorded.run.run_id, "other": str(Digest.of(b"other"))}
        try:
            with connection:
                assert connection.execute(statement, values).rowcount > 0
        except sqlite3.IntegrityError:
            assert not parts, "the schema itself refused it"
            return
    found = recorded.parts()
    assert {part for name, part in found if name == "second"} >= parts
    assert found


def test_a_missing_row_of_a_sealed_run_is_named(recorded: Recorded) -> None:
    recorded.execute("DELETE FROM runs WHERE run_id = ?", recorded.run.run_id)
    assert [(problem.run_id, problem.part) for problem in recorded.problems()] == [
        (recorded.run.run_id, "index")
    ]


def test_a_run_hidden_as_removed_without_a_tombstone_is_named(recorded: Recorded) -> None:
    recorded.execute("UPDATE runs SET forgotten = 1 WHERE run_id = ?", recorded.run.run_id)
    assert recorded.parts() == {("second", "record")}


def test_a_row_that_claims_a_seal_without_a_record_is_named(recorded: Recorded) -> None:
    recorded.execute(
        "INSERT INTO runs (run_id, name, experiment_id, status, created)"
        " VALUES ('ff', 'made up', 1, 'FINISHED', 'x')"
    )
    assert recorded.parts() == {("made up", "record")}


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_a_removed_entry_is_noticed_wherever_it_was(recorded: Recorded, name: str) -> None:
    run_id = recorded.store.find(name).run_id
    recorded.execute("DELETE FROM entries WHERE run_id = ?", run_id)
    assert recorded.parts() >= {(None, "chain"), (name, "record")}


def test_a_run_removed_with_all_its_traces_is_missed(recorded: Recorded) -> None:
    for table in ("entries", "params", "latest_metrics", "tags", "inputs", "outputs", "runs"):
        recorded.execute(f"DELETE FROM {table} WHERE run_id = ?", recorded.third.run_id)
    assert recorded.parts() == {(None, "chain")}
    assert "entry 3 is missing" in recorded.problems()[0].message


def test_swapped_entries_are_noticed(recorded: Recorded) -> None:
    for before, after in ((2, 50), (3, 2), (50, 3)):
        recorded.execute("UPDATE entries SET sequence = ? WHERE sequence = ?", after, before)
    assert recorded.parts() >= {("second", "link"), ("third", "link")}


def test_an_entry_of_no_possible_number_ends_in_a_sentence(recorded: Recorded) -> None:
    recorded.execute("UPDATE entries SET sequence = ? WHERE sequence = 2", 2**62)
    assert (None, "database") in recorded.parts()


def test_an_entry_of_no_known_kind_ends_in_a_sentence(recorded: Recorded) -> None:
    recorded.execute("UPDATE entries SET kind = 'wibble' WHERE run_id = ?", recorded.run.run_id)
    (problem, *_) = recorded.problems()
    assert recorded.run.run_id in problem.message


def test_a_record_put_in_with_a_fitting_digest_does_not_fit_the_chain(recorded: Recorded) -> None:
    entry = next(entry for entry in recorded.store.entries() if entry.run_id == recorded.run.run_id)
    forged = (entry.payload or b"").replace(b"0.25", b"0.24")
    recorded.execute(
        "UPDATE entries SET payload = ?, digest = ? WHERE sequence = 2", forged, Digest.of(forged)
    )
    assert recorded.parts() >= {("second", "link"), ("second", "index.metrics")}


def relinked(recorded: Recorded, payload: bytes) -> None:
    """Rewrites the chain's last entry whole, so that only its content can give it away."""
    entry = list(recorded.store.entries())[-1]
    digest = Digest.of(payload)
    new = link(
        sequence=3,
        kind=EntryKind.RUN,
        run_id=entry.run_id,
        time=entry.time,
        digest=digest,
        previous=entry.previous,
    )
    recorded.execute(
        "UPDATE entries SET payload = ?, digest = ?, link = ? WHERE sequence = 3", payload, digest, new
    )
    recorded.execute("UPDATE chain SET link = ?", new)
    recorded.execute("UPDATE runs SET record = ? WHERE sequence = 3", digest)


def test_a_plan_that_does_not_have_the_digest_it_is_given_is_named(recorded: Recorded) -> None:
    document = json.loads(list(recorded.store.entries())[-1].payload or b"")
    document["plan"]["command"] = "rm -r everything"
    relinked(recorded, canonical(document))
    assert ("third", "plan") in recorded.parts()


def test_a_record_in_another_spelling_is_named(recorded: Recorded) -> None:
    payload = list(recorded.store.entries())[-1].payload or b""
    relinked(recorded, payload.replace(b'":', b'": ', 1))
    assert recorded.parts() == {("third", "record")}


def test_the_note_of_the_chains_end_is_checked(recorded: Recorded) -> None:
    recorded.execute("UPDATE chain SET link = ?", GENESIS)
    assert recorded.parts() == {(None, "chain")}
    recorded.execute("UPDATE chain SET sequence = 'text'")
    assert recorded.parts() == {(None, "database")}
    recorded.execute("DELETE FROM chain")
    assert recorded.parts() == {(None, "database")}


BLOBS = {
    "logs.stdout": b"training\nloss 1\n",
    "outputs.model.bin": b"model of second",
    "outputs.report/img/a.svg": b"<svg>",
    "source.snapshot/train.py": SOURCE[b"train.py"],
    "environment.lock_file": LOCK,
}


@pytest.mark.parametrize("part", BLOBS)
@pytest.mark.parametrize("harm", ["a bit", "its end", "all of it"])
def test_a_changed_or_missing_blob_is_named_with_its_part(recorded: Recorded, part: str, harm: str) -> None:
    path = recorded.store.blobs.path(Digest.of(BLOBS[part]))
    content = path.read_bytes()
    if harm == "all of it":
        path.unlink()
    else:
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:] if harm == "a bit" else content[:-1])
    problems = [problem for problem in recorded.problems() if problem.run_name == "second"]
    assert [problem.part for problem in problems] == [part]
    assert ("missing" if harm == "all of it" else "altered") in problems[0].message


def test_an_altered_manifest_is_named_and_not_followed(recorded: Recorded) -> None:
    assert recorded.run.job is not None
    recorded.store.blobs.path(recorded.run.job.source.snapshot).write_bytes(b"nonsense\n")
    assert recorded.parts() == {(name, "source.snapshot") for name in ("first", "second", "third")}


def test_one_run_can_be_verified_alone(recorded: Recorded) -> None:
    recorded.store.blobs.path(Digest.of(b"model of third")).unlink()
    recorded.execute("UPDATE params SET value = '9' WHERE run_id = ?", recorded.third.run_id)
    assert verify(recorded.store, recorded.run).sound
    assert {problem.part for problem in verify(recorded.store, recorded.third).problems} == {
        "index.params",
        "outputs.model.bin",
    }


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(min_value=0, max_value=10**6), bit=st.integers(min_value=0, max_value=7))
def test_any_changed_bit_of_a_record_is_noticed(recorded: Recorded, place: int, bit: int) -> None:
    (payload,) = [entry.payload for entry in recorded.store.entries() if entry.sequence == 2]
    assert payload is not None
    position = place % len(payload)
    changed = bytearray(payload)
    changed[position] ^= 1 << bit
    recorded.execute("UPDATE entries SET payload = ? WHERE sequence = 2", bytes(changed))
    try:
        assert recorded.parts() == {("second", "record")}
    finally:
        recorded.execute("UPDATE entries SET payload = ? WHERE sequence = 2", payload)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_damaged_database_ends_in_problems_or_a_sentence_never_in_a_traceback(
    recorded: Recorded, share: float
) -> None:
    recorded.store.close()
    content = bytearray(recorded.database.read_bytes())
    start = int(len(content) * share) // 4096 * 4096
    content[start : start + 4096] = b"\xa5" * 4096
    recorded.database.write_bytes(content)
    try:
        store = open_store(recorded.store.root, create=False)
    except StoreError as error:
        assert "is damaged" in error.message
        return
    verification = verify(store)
    store.close()
    assert all(problem.message for problem in verification.problems)
