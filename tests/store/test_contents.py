"""Who read or left a content, as a store tells without reading its records."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import NotTaken
from mlproj.lineage_ports import MOST_FILES
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.provenance import InputState
from mlproj.model.record import seal_document
from mlproj.model.run import Run
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.relocating import back_up, restore
from tests.store.runs import DATA, begun, ended
from tests.store.test_garbage import sealed

PAGE = Digest.of(b"<p>")
"""What lies in the folder `report` that every such run leaves."""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


def makers(store: FolderStore, digest: Digest, most: int = 9) -> list[tuple[str, str]]:
    return [(use.run_id, use.path) for use in store.contents.makers(digest, most).uses]


def test_content_is_found_by_who_left_it_and_who_read_it(store: FolderStore) -> None:
    first, second = (sealed(store, name, name.encode()) for name in ("first", "second"))
    assert makers(store, Digest.of(b"first")) == [(first.run_id, "model.bin")]
    assert makers(store, PAGE) == [(run.run_id, "report/index.html") for run in (second, first)]
    readers = store.contents.readers(DATA, 9)
    assert [(use.run_id, use.path) for use in readers.uses] == [
        (run.run_id, "data.csv") for run in (second, first)
    ]
    assert store.contents.beginning(DATA.hex[:8]) == (DATA,)
    assert not store.contents.readers(Digest.of(b"first"), 9).uses


def test_of_many_the_newest_are_told_and_the_others_counted(store: FolderStore) -> None:
    runs = [sealed(store, f"run-{number}", b"same") for number in range(5)]
    found = store.contents.makers(Digest.of(b"same"), 2)
    assert [use.run_id for use in found.uses] == [runs[4].run_id, runs[3].run_id]
    assert found.more == 3


def test_a_run_that_goes_on_is_known_by_what_it_reads(store: FolderStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        assert [use.run_id for use in store.contents.readers(DATA, 9).uses] == [run.run_id]


def test_nobody_made_what_is_empty(store: FolderStore) -> None:
    sealed(store, "empty", b"")
    assert makers(store, Digest.of(b"")) == []


def read_folder(store: FolderStore, files: dict[bytes, bytes]) -> Run:
    """A run that reads a folder of these files."""
    manifest = folder_manifest((path, Digest.of(content)) for path, content in files.items())
    run = begun(store.blobs)
    assert run.job is not None
    state = InputState(name="data", path="in", kind="folder", digest=Digest.of(manifest), size=1)
    run = replace(run, job=replace(run.job, inputs=(state,)))
    with store.begin(run):
        store.contents.add_folder(manifest)
        return store.seal(ended(store.blobs, run))


def test_a_file_is_found_in_a_folder_that_was_read(store: FolderStore) -> None:
    odd = b"b \n\xff.csv"
    run = read_folder(store, {b"a.csv": b"one", odd: b"two"})
    (use,) = store.contents.readers(Digest.of(b"two"), 9).uses
    assert (use.run_id, use.path) == (run.run_id, "in/b \n\\xff.csv")
    assert use.folder is not None
    assert dict(store.contents.files(use.folder))[odd] == Digest.of(b"two")


def test_a_folder_of_too_many_files_is_known_as_a_whole_alone(store: FolderStore) -> None:
    files = {b"%d" % number: b"%d" % number for number in range(MOST_FILES + 1)}
    read_folder(store, files)
    assert not store.contents.readers(Digest.of(b"7"), 9).uses
    files.popitem()
    run = read_folder(store, files)
    assert [use.run_id for use in store.contents.readers(Digest.of(b"7"), 9).uses] == [run.run_id]
    assert verify(store).sound


def test_what_is_forgotten_is_found_no_more_and_what_others_left_is(store: FolderStore) -> None:
    first, second = (sealed(store, name, name.encode()) for name in ("first", "second"))
    lonely = read_folder(store, {b"a": b"alone"})
    for run in (first, lonely):
        store.hide(run.run_id)
    assert makers(store, Digest.of(b"first")) == [(first.run_id, "model.bin")]
    store.housekeeper.forget([first.run_id, lonely.run_id], who="ada", why="test")
    assert makers(store, Digest.of(b"first")) == []
    assert makers(store, PAGE) == [(second.run_id, "report/index.html")]
    assert not store.contents.readers(Digest.of(b"alone"), 9).uses
    assert len(list(store.contents.folders())) == 1
    assert verify(store).sound


def test_a_copy_of_a_store_finds_the_same(store: FolderStore, tmp_path: Path) -> None:
    run = read_folder(store, {b"a": b"one"})
    back_up(store.root, tmp_path / "copy", lambda event: None)
    restore(tmp_path / "copy", tmp_path / "again", replacing=False, report=lambda event: None)
    again = open_store(tmp_path / "again", create=False)
    assert [use.run_id for use in again.contents.readers(Digest.of(b"one"), 9).uses] == [run.run_id]
    assert makers(again, PAGE) == makers(store, PAGE)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM folder_files WHERE position = 1", "is not so"),
        ("UPDATE folder_files SET path = x'61' WHERE position = 0", "is not so"),
        (f"UPDATE folder_files SET digest = '{DATA}' WHERE position = 0", "is not so"),
        ("UPDATE folders SET digest = replace(digest, 'a', 'b')", "nothing is searched"),
    ],
)
def test_what_was_changed_in_the_index_is_told(store: FolderStore, statement: str, told: str) -> None:
    sealed(store, "tampered", b"model")
    assert verify(store).sound
    with contextlib.closing(sqlite3.connect(store.root / FILE)) as connection, connection:
        assert connection.execute(statement).rowcount
    problems = [problem for problem in verify(store).problems if problem.part == "index.folders"]
    assert any(told in problem.message for problem in problems)


A, B = Digest.of(b"model"), Digest.of(b"model 2")


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (f"{A.hex}  z\n{B.hex}  b\n".encode(), "not as mlproj writes it"),
        (folder_manifest([(b"../up", A)]), "`../up`"),
    ],
)
def test_a_run_from_elsewhere_has_lists_as_ours_are(store: FolderStore, manifest: bytes, told: str) -> None:
    run = begun(store.blobs)
    done = ended(store.blobs, run)
    assert done.outcome is not None
    store.blobs.add_bytes(b"model 2")
    listed = store.blobs.add_bytes(manifest)
    output = replace(done.outcome.outputs[0], path="fo", kind="folder", digest=listed)
    odd = replace(done, outcome=replace(done.outcome, outputs=(output,)))
    with pytest.raises(NotTaken, match=r"outputs\.fo") as refused:
        store.bring(odd, seal_document(odd), [])
    assert told in refused.value.message and store.listing() == ()
    lost = replace(odd, outcome=replace(done.outcome, outputs=(output,), lost=(listed,)))
    store.bring(lost, seal_document(lost), [])
    assert verify(store).problems == ()


def test_what_came_beside_a_run_is_listed_as_ours_is(store: FolderStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    content = {"manifest": str(store.blobs.add_bytes(b"no list\n")), "record": "new"}
    with pytest.raises(NotTaken, match="attached"):
        store.amend(run.run_id, "attached", content)
    assert store.find(run.run_id).amendments == () and verify(store).problems == ()
