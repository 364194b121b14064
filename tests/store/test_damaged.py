"""A store that is damaged, in the way, busy or full ends in a sentence."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.run import Run
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.founding import make_folder
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from tests.store.runs import begun
from tests.store.test_folder import root, sealed, store

__all__ = ["root", "sealed", "store"]


def test_opening_what_is_no_store_says_so(root: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_store(root, create=False)
    assert not root.exists()
    root.mkdir()
    (root / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="other files in it"):
        open_store(root, create=True)
    assert [path.name for path in root.iterdir()] == ["notes.txt"]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        open_store(tmp_path / "file" / ".mlproj", create=True)


@pytest.mark.parametrize("content", [b"no database at all, " * 100, b""], ids=["garbage", "nothing"])
def test_a_file_that_is_no_database_is_told_or_made_one(root: Path, content: bytes) -> None:
    root.mkdir()
    (root / FILE).write_bytes(content)
    if content:
        with pytest.raises(StoreError, match="damaged") as told:
            open_store(root, create=True)
        assert told.value.exit_code == 5
    else:
        assert open_store(root, create=True).search(RunQuery()) == ()


def test_damaged_pages_end_in_a_sentence(root: Path, store: FolderStore, sealed: Run) -> None:
    store.close()
    path = root / FILE
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|cannot be used"):
        open_store(root, create=False).find(sealed.run_id)


@pytest.mark.parametrize("left", [0, 1])
def test_a_database_that_was_emptied_is_not_made_anew(
    root: Path, store: FolderStore, sealed: Run, left: int
) -> None:
    store.close()
    for file in root.glob(f"{FILE}-*"):
        file.unlink()
    os.truncate(root / FILE, left)
    with pytest.raises(StoreError, match="is empty"):
        open_store(root, create=True)


def test_a_schema_that_is_no_text_ends_in_a_sentence(root: Path, store: FolderStore, sealed: Run) -> None:
    store.close()
    content = (root / FILE).read_bytes()
    assert b"CREATE TABLE runs" in content
    (root / FILE).write_bytes(content.replace(b"CREATE TABLE runs", b"CREATE TABLE \xff\x98ns"))
    with pytest.raises(StoreError, match="damaged"):
        open_store(root, create=False)


def test_a_run_that_its_index_does_not_know_ends_in_a_sentence(
    root: Path, store: FolderStore, sealed: Run
) -> None:
    store.close()
    in_table = (sealed.run_id + sealed.name).encode()
    content = (root / FILE).read_bytes()
    assert content.count(in_table) == 1
    (root / FILE).write_bytes(content.replace(in_table, b"0" * 32 + sealed.name.encode()))
    damaged = open_store(root, create=False)
    with contextlib.closing(damaged), pytest.raises(StoreError, match="damaged"):
        damaged.search(RunQuery())


def test_a_store_that_stays_busy_is_told(store: FolderStore, root: Path) -> None:
    store._connection.execute("PRAGMA busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(root / FILE)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="busy"), store.begin(begun(store.blobs)):
            pass


def test_a_full_disk_is_told(store: FolderStore) -> None:
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    run = begun(store.blobs)
    assert run.job is not None
    large = replace(run, job=replace(run.job, tags=(("large", "x" * 10**6),)))
    with pytest.raises(StoreError, match="no space is left"), store.begin(large):
        pass


def test_a_store_that_somebody_else_made_meanwhile_is_no_folder_with_other_files(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    make_folder(tmp_path / "store")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(StoreError, match="a folder with other files in it"):
        make_folder(tmp_path / "other")
