"""What every place for artifacts does, and for their uploads in parts."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.artifact_ports import Artifacts
from mlproj.errors import NotFound, UsageError
from mlproj.store.folder import FolderStore
from tests.contracts.places import PLACES, store_at
from tests.s3_server import S3Server

MIB = 1024 * 1024


@pytest.fixture(params=PLACES)
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Iterator[FolderStore]:
    store = store_at(request.param, tmp_path, s3)
    yield store
    store.close()


@pytest.fixture
def artifacts(store: FolderStore) -> Artifacts:
    return wiring.artifacts_of(store)


def content(artifacts: Artifacts, path: str, first: int = 0, count: int | None = None) -> bytes:
    return b"".join(artifacts.read(path, first, count))


def test_what_is_written_is_listed_read_and_deleted(artifacts: Artifacts) -> None:
    artifacts.write("a/b/c.txt", iter((b"one", b"", b"two")))
    artifacts.write("a/d", iter(()))
    assert ("a", True, 0) in artifacts.list("")
    assert artifacts.list("a") == [("a/b", True, 0), ("a/d", False, 0)]
    assert artifacts.list("a/b") == [("a/b/c.txt", False, 6)]
    assert list(artifacts.list("a/d")) == list(artifacts.list("nowhere/at/all")) == []
    assert (artifacts.size("a/b/c.txt"), b"".join(artifacts.read("a/b/c.txt"))) == (6, b"onetwo")
    artifacts.delete("a/d")
    artifacts.delete("a/d")
    artifacts.delete("a")
    assert list(artifacts.list("a")) == []
    assert "a" not in [path for path, _, _ in artifacts.list("")]


def test_a_file_is_replaced_whole(artifacts: Artifacts) -> None:
    artifacts.write("f", iter((b"old",)))
    reading = artifacts.read("f")
    artifacts.write("f", iter((b"new one",)))
    assert (b"".join(reading), b"".join(artifacts.read("f"))) == (b"old", b"new one")


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "a\0b",
        "a/",
        "\ud800",
        "x" * 300,
    ],
)
def test_paths_that_lead_out_or_are_no_names_are_refused(artifacts: Artifacts, path: str) -> None:
    for act in (
        lambda: artifacts.read(path),
        lambda: artifacts.size(path),
        lambda: artifacts.write(path, iter((b"x",))),
        lambda: artifacts.delete(path),
        lambda: artifacts.list(path),
    ):
        with pytest.raises(UsageError):
            act()


def test_many_write_below_one_new_folder_at_once(artifacts: Artifacts) -> None:
    def write(number: int) -> None:
        artifacts.write(f"new/deep/{number}", iter((b"x",)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(artifacts.list("new/deep")) == 20


def test_what_is_no_file_is_not_found(artifacts: Artifacts) -> None:
    artifacts.write("folder/file", iter((b"x",)))
    for path in ("", "folder", "nothing", "folder/file/below"):
        for act in (artifacts.read, artifacts.size):
            with pytest.raises(NotFound):
                act(path)


def test_a_file_is_not_put_in_place_of_a_folder_or_below_a_file(artifacts: Artifacts) -> None:
    artifacts.write("folder/file", iter((b"x",)))
    for path in ("folder", "folder/file/below", ""):
        with pytest.raises(UsageError):
            artifacts.write(path, iter((b"y",)))
        with pytest.raises(UsageError):
            upload = artifacts.uploads.begin(path, 1)
            tag = artifacts.uploads.add(path, upload, 1, iter((b"y",)))
            artifacts.uploads.complete(path, upload, [(1, tag)])
    assert content(artifacts, "folder/file") == b"x"


def test_what_is_cut_off_leaves_nothing_at_any_length(artifacts: Artifacts, store: FolderStore) -> None:
    before = set(store.blobs.digests())

    def cut(pieces: int) -> Iterator[bytes]:
        for _ in range(pieces):
            yield os.urandom(MIB)
        raise RuntimeError("gone")

    for pieces in (0, 3, 20):
        with pytest.raises(RuntimeError):
            artifacts.write("deep/down/f", cut(pieces))
        assert list(artifacts.list("deep")) == []
    assert set(store.blobs.digests()) == before
    uploads = store.root / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 21 * MIB + 7])
def test_files_of_any_size_and_parts_of_them(artifacts: Artifacts, size: int) -> None:
    bytes_ = os.urandom(size)
    pieces = [bytes_[start : start + MIB] for start in range(0, size, MIB)]
    artifacts.write("a/f", iter(pieces))
    assert artifacts.size("a/f") == size and content(artifacts, "a/f") == bytes_
    for first, count in ((0, 1), (0, size), (size // 2, 100), (size, 5), (max(0, size - 3), None)):
        stop = size if count is None else first + count
        assert content(artifacts, "a/f", first, count) == bytes_[first:stop]


def test_parts_become_a_file(artifacts: Artifacts) -> None:
    parts = [os.urandom(6 * MIB), b"", os.urandom(5 * MIB), b"x"]
    upload = artifacts.uploads.begin("deep/f", len(parts))
    tags = {
        number: artifacts.uploads.add("deep/f", upload, number, iter((parts[number - 1],)))
        for number in (3, 1, 4, 2)
    }
    assert list(artifacts.list("deep")) == []
    artifacts.uploads.complete("deep/f", upload, sorted(tags.items()))
    assert content(artifacts, "deep/f") == b"".join(parts)
    with pytest.raises(NotFound):
        artifacts.uploads.complete("deep/f", upload, sorted(tags.items()))


def test_an_upload_that_is_given_up_leaves_nothing(artifacts: Artifacts) -> None:
    upload = artifacts.uploads.begin("f", 1)
    tag = artifacts.uploads.add("f", upload, 1, iter((b"x",)))
    artifacts.uploads.abort("f", upload)
    with pytest.raises(NotFound):
        artifacts.uploads.complete("f", upload, [(1, tag)])
    with pytest.raises(NotFound):
        artifacts.size("f")


@pytest.mark.parametrize("name", ["a b%c?d#e", "ü", "%2e%2e", "x&y=z+", "'", '"', "[1]*", "~", "\\", "a\nb"])
def test_names_are_only_names(artifacts: Artifacts, name: str) -> None:
    artifacts.write(f"{name}/{name}", iter((name.encode(),)))
    assert (name, True, 0) in artifacts.list("")
    assert list(artifacts.list(name)) == [(f"{name}/{name}", False, len(name.encode()))]
    assert content(artifacts, f"{name}/{name}") == name.encode()
    artifacts.delete(name)
    assert list(artifacts.list(name)) == []


def test_names_differ_by_case_and_by_what_looks_like_a_pattern(artifacts: Artifacts) -> None:
    for name in ("d/A", "d/a", "d_/x", "dd/x", "d%/x"):
        artifacts.write(name, iter((name.encode(),)))
    assert [path for path, _, _ in artifacts.list("d")] == ["d/A", "d/a"]
    artifacts.delete("d_")
    artifacts.delete("d%")
    assert content(artifacts, "dd/x") == b"dd/x" and content(artifacts, "d/A") == b"d/A"


def test_of_many_who_write_one_file_at_once_one_is_the_last(artifacts: Artifacts) -> None:
    written = [os.urandom(1000) for _ in range(8)]
    threads = [threading.Thread(target=artifacts.write, args=("f", iter((each,)))) for each in written]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(artifacts, "f") in written
