"""A long chain is walked along by several programs, which find what one alone would."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from mlproj.cli.walker import WalkerBeside
from mlproj.provenance.contents import digest_files
from mlproj.services.verify import Means, Verification, verify
from mlproj.services.walk import Place, Stretch
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.benchmarks.past import lengthen
from tests.store.runs import begun, ended

RUNS = 3200


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    store = open_store(tmp_path_factory.mktemp("long") / "store", create=True)
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    lengthen(store.root, RUNS)
    return store


class Fleeting:
    """A walker that tells a little and is gone, as one that was killed."""

    def __init__(self, store: Path, after: Place, until: int | None) -> None:
        self._walker = WalkerBeside(store, after, until)
        self._told = False

    def stretches(self, *, wait: bool) -> Sequence[Stretch] | None:
        told = self._walker.stretches(wait=wait) if not self._told else None
        self._told = bool(told)
        return told

    def close(self) -> None:
        self._walker.close()


def by_several(store: FolderStore, kind: type[WalkerBeside] | type[Fleeting]) -> Verification:
    return verify(store, means=Means(digester=digest_files, walkers=1, walker=partial(kind, store.root)))


def test_a_walker_tells_of_its_part_and_takes_nothing_from_the_current_folder(
    long: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("open('taken', 'w')")
    monkeypatch.chdir(tmp_path)
    entry = next(long.entries(after=99))
    walker = WalkerBeside(long.root, (entry.sequence, entry.link), 400)
    found: list[Stretch] = []
    while (told := walker.stretches(wait=True)) is not None:
        found += told
    walker.close()
    assert sum(stretch.entries for stretch in found) == 300
    assert found[-1].last[0] == 400 and not any(stretch.problems for stretch in found)
    assert not (tmp_path / "taken").exists()


def test_without_walkers_all_of_it_is_walked_here(long: FolderStore) -> None:
    def none(after: Place, until: int | None) -> WalkerBeside:
        raise OSError("no more processes")

    assert verify(long, means=Means(walkers=1, walker=none)) == verify(long)


@pytest.mark.parametrize("kind", [WalkerBeside, Fleeting])
def test_a_long_chain_is_walked_by_several_as_by_one(
    long: FolderStore, kind: type[WalkerBeside] | type[Fleeting]
) -> None:
    found = by_several(long, kind)
    assert found == verify(long)
    assert found.sound and (found.entries, found.runs) == (RUNS, RUNS)


@pytest.mark.parametrize("sequence", [2, RUNS // 2, RUNS // 2 + 1, RUNS // 2 + 2, RUNS])
@pytest.mark.parametrize("harm", ["payload = replace(payload, '0.25', '0.24')", "link = previous"])
def test_what_was_altered_is_named_in_every_part(long: FolderStore, sequence: int, harm: str) -> None:
    with contextlib.closing(sqlite3.connect(long.root / FILE)) as connection:
        row = "SELECT payload, link FROM entries WHERE sequence = ?"
        before = connection.execute(row, (sequence,)).fetchone()
        with connection:
            connection.execute(f"UPDATE entries SET {harm} WHERE sequence = ?", (sequence,))
        try:
            found, alone = by_several(long, WalkerBeside), verify(long)
            assert set(found.problems) == set(alone.problems) and not found.sound
        finally:
            with connection:
                put = "UPDATE entries SET payload = ?, link = ? WHERE sequence = ?"
                connection.execute(put, (*before, sequence))


def test_content_that_both_parts_name_is_named_with_every_run(long: FolderStore) -> None:
    outcome = long.find("last").outcome
    assert outcome is not None and outcome.outputs[0].digest is not None
    path = long.blobs.path(outcome.outputs[0].digest)
    content = path.read_bytes()
    path.write_bytes(b"another")
    try:
        problems = by_several(long, WalkerBeside).problems
    finally:
        path.write_bytes(content)
    assert len(problems) == RUNS and {problem.part for problem in problems} == {"outputs.model.bin"}
