"""A disk that is full: one sentence, nothing lost, and everything well again once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj
from tests.conftest import ProjectMaker, need

Fill = Callable[[], None]

STORM = """\
entry_points:
  main:
    command: echo fine
  storm:
    command: head -c 3000000 /dev/zero
  model:
    outputs: [model.bin]
    command: head -c 3000000 /dev/urandom > model.bin
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder), capture_output=True
    ).returncode
    need("tmpfs", mounted == 0)
    yield folder
    subprocess.run(("umount", "--lazy", folder), check=True)


def fill(disk: Path) -> Path:
    """Leaves nothing on the disk; removing the file makes room again."""
    rest = disk / "rest"
    with rest.open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue
    return rest


def test_a_full_disk_ends_in_a_sentence_and_what_was_recorded_can_be_read(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    rest = fill(disk)
    for command in (("run", ".", *LOCAL), ("rm", "last"), ("prune", "--keep-last", "0")):
        refused = mlproj(*command, *store, cwd=project)
        assert (refused.code, refused.stdout) == (5, "")
        assert refused.stderr == f"error: no space is left for the store `{disk / 'store'}`\n\n" + (
            "hint: free some space on that disk\n"
        )
    assert mlproj("runs", *store).stdout.count("FINISHED") == 1
    assert mlproj("show", "last", *store).code == mlproj("verify", *store).code == 0
    assert mlproj("logs", "last", *store).stdout == "fine\n"
    rest.unlink()
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    assert mlproj("verify", *store).code == 0


@pytest.mark.parametrize("entry", ["storm", "model"])
def test_a_run_that_fills_the_disk_is_closed_all_the_same(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj, entry: str
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    failed = mlproj("run", ".", "-e", entry, *LOCAL, *store, cwd=project)
    assert failed.code == 5
    assert "no space is left" in failed.stderr.lower() and "Traceback" not in failed.stderr
    run = mlproj("show", "last", "--json", *store).document
    assert run["status"] == "FAILED" and "no space" in run["reason"].lower()
    assert run["record"] is not None
    assert mlproj("verify", *store).code == 0
    assert mlproj("rm", "last", *store).code == 0
    assert mlproj("gc", "--grace", "0", *store).code == 0
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0


def test_a_store_on_a_full_disk_can_be_backed_up_elsewhere(
    disk: Path, tmp_path: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, store = make_project({"MLproject": STORM}), ("--store", disk / "store")
    assert mlproj("run", ".", *LOCAL, *store, cwd=project).code == 0
    fill(disk)
    assert mlproj("store", "backup", tmp_path / "backup", *store).code == 0
    assert mlproj("verify", "--store", tmp_path / "backup").code == 0
    refused = mlproj("store", "move", tmp_path / "moved", *store)
    if refused.code:  # the word that it leaves takes room, too
        assert (refused.code, f"the store `{disk / 'store'}`" in refused.stderr) == (5, True)
        assert not (tmp_path / "moved").exists()
    assert mlproj("verify", *store).code == 0


def test_a_backup_to_a_full_disk_leaves_the_one_before(
    disk: Path, make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project, backup = make_project({"MLproject": STORM}), disk / "backup"
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 0
    assert mlproj("store", "backup", backup).code == 0
    assert mlproj("run", ".", "-e", "model", *LOCAL, cwd=project).code == 0
    refused = mlproj("store", "backup", backup)
    assert refused.code == 5 and "no space is left" in refused.stderr
    assert mlproj("verify", "--store", backup).code == 0
    assert mlproj("runs", "--store", backup).stdout.count("FINISHED") == 1
