"""Artifacts are files below a folder, and nothing leads out of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import NotFound, UsageError
from mlproj.store.artifacts import FolderArtifacts
from mlproj.tracking_ports import Artifacts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    return root


@pytest.fixture
def artifacts(root: Path, tmp_path: Path) -> Artifacts:
    return FolderArtifacts(root, tmp_path / "aside")


def test_what_is_written_is_listed_read_and_deleted(artifacts: Artifacts) -> None:
    artifacts.write("a/b/c.txt", iter((b"one", b"", b"two")))
    artifacts.write("a/d", iter(()))
    assert artifacts.list("") == [("a", True, 0)]
    assert artifacts.list("a") == [("a/b", True, 0), ("a/d", False, 0)]
    assert artifacts.list("a/b") == [("a/b/c.txt", False, 6)]
    assert artifacts.list("a/d") == artifacts.list("nowhere/at/all") == ()
    assert (artifacts.size("a/b/c.txt"), b"".join(artifacts.read("a/b/c.txt"))) == (6, b"onetwo")
    artifacts.delete("a/d")
    artifacts.delete("a/d")
    artifacts.delete("a")
    assert artifacts.list("") == []


def test_a_file_is_replaced_whole(artifacts: Artifacts) -> None:
    artifacts.write("f", iter((b"old",)))
    reading = artifacts.read("f")
    artifacts.write("f", iter((b"new one",)))
    assert (b"".join(reading), b"".join(artifacts.read("f"))) == (b"old", b"new one")


def test_a_cut_upload_leaves_nothing(artifacts: Artifacts, root: Path, tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        artifacts.write("deep/down/f", cut())
    assert not list(root.iterdir())
    assert not list((tmp_path / "aside").iterdir())


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


@pytest.mark.parametrize("path", ["link", "folder/secret", "inner/link"])
def test_links_are_refused(artifacts: Artifacts, root: Path, tmp_path: Path, path: str) -> None:
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "inner").mkdir()
    (root / "inner" / "link").symlink_to("../link")
    for act in (
        lambda: artifacts.read(path),
        lambda: artifacts.write(path, iter((b"x",))),
        lambda: artifacts.delete(path),
    ):
        with pytest.raises(UsageError):
            act()
    with pytest.raises(UsageError):
        artifacts.list("folder")
    assert artifacts.list("") == [("inner", True, 0)]
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_tree_with_links_is_deleted_and_what_they_point_to_stays(
    artifacts: Artifacts, root: Path, tmp_path: Path
) -> None:
    artifacts.write("tree/a/b", iter((b"x",)))
    (root / "tree" / "a" / "link").symlink_to(tmp_path)
    (root / "tree" / "link").symlink_to(tmp_path / "secret")
    artifacts.delete("tree")
    assert not list(root.iterdir())
    assert (tmp_path / "secret").read_text() == "secret"


@pytest.mark.parametrize("path", ["", "folder", "pipe", "nothing", "file/below"])
def test_what_is_no_file_is_not_found(artifacts: Artifacts, root: Path, path: str) -> None:
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    (root / "file").write_text("x")
    for act in (artifacts.read, artifacts.size):
        with pytest.raises(NotFound):
            act(path)


def test_a_file_is_not_put_in_place_of_a_folder_or_below_a_file(artifacts: Artifacts, root: Path) -> None:
    (root / "folder").mkdir()
    (root / "file").write_text("x")
    for path in ("folder", "file/below", ""):
        with pytest.raises(UsageError):
            artifacts.write(path, iter((b"x",)))


def test_many_write_below_one_new_folder_at_once(artifacts: Artifacts) -> None:
    def write(number: int) -> None:
        artifacts.write(f"new/deep/{number}", iter((b"x",)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(artifacts.list("new/deep")) == 20


def test_a_path_that_nobody_could_follow_later_is_refused(artifacts: Artifacts, root: Path) -> None:
    fits, long = "/".join(["d" * 200] * 14), "/".join(["d" * 200] * 40)
    artifacts.write(fits, iter((b"x",)))
    assert (root / fits).read_bytes() == b"x"
    with pytest.raises(UsageError, match="longer than 3000 bytes"):
        artifacts.write(long, iter((b"x",)))
    artifacts.delete("d" * 200)
    assert not list(root.iterdir())
