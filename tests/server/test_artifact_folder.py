"""Artifacts are files below a folder, and nothing leads out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.artifact_ports import Artifacts
from mlproj.errors import NotFound, UsageError
from mlproj.store.artifacts import FolderArtifacts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    return root


@pytest.fixture
def artifacts(root: Path, tmp_path: Path) -> Artifacts:
    return FolderArtifacts(root, tmp_path / "aside")


def test_a_cut_upload_leaves_nothing(artifacts: Artifacts, root: Path, tmp_path: Path) -> None:
    def cut() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        artifacts.write("deep/down/f", cut())
    assert not list(root.iterdir())
    assert not list((tmp_path / "aside").iterdir())


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


def test_a_path_that_nobody_could_follow_later_is_refused(artifacts: Artifacts, root: Path) -> None:
    fits, long = "/".join(["d" * 200] * 14), "/".join(["d" * 200] * 40)
    artifacts.write(fits, iter((b"x",)))
    assert (root / fits).read_bytes() == b"x"
    with pytest.raises(UsageError, match="longer than 3000 bytes"):
        artifacts.write(long, iter((b"x",)))
    artifacts.delete("d" * 200)
    assert not list(root.iterdir())
