"""A store on a network file system that is really mounted: files served by OpenSSH, over a pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, single
from tests.cli.failing import called, told
from tests.conftest import ProjectMaker, need

SERVER = Path("/usr/lib/openssh/sftp-server")
HINT = "name a folder on a local disk with `--store` or `MLPROJ_STORE`"

Mount = Callable[..., Path]


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Mount]:
    """Mounts the folder `tmp_path/served` under the name given, for nobody to write to if so told."""
    served = tmp_path / "served"
    served.mkdir()
    connect = tmp_path / "connect"  # in ssh's place: whatever it is told, it serves
    connect.write_text(f"#!/bin/sh\nexec {SERVER}\n")
    connect.chmod(0o755)
    mounted: list[Path] = []

    def mount(name: str, *, readonly: bool = False) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        options = f"ssh_command={connect}" + ",ro" * readonly
        if shutil.which("sshfs") and SERVER.exists() and os.access("/dev/fuse", os.W_OK):
            done = subprocess.run(("sshfs", "-o", options, f"here:{served}", folder), timeout=60)
            if done.returncode == 0:
                mounted.append(folder)
        need("sshfs", folder in mounted)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(("fusermount3", "-u", "-z", folder), check=True)


def test_a_store_on_a_network_disk_is_refused_and_leaves_nothing_there(
    share: Mount, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project, disk = make_project({"MLproject": single("echo fine")}), share("disk")
    for store in (disk / "store", disk / "not" / "yet" / "there"):
        told(
            *("run", ".", *LOCAL, "--store", store),
            cwd=project,
            code=5,
            says=f"the store `{store}` is on a network file system (`fuse.sshfs`)",
            hint=HINT,
        )
    assert list((tmp_path / "served").iterdir()) == []
    assert called("run", ".", *LOCAL, cwd=project).code == 0
    told("store", "move", disk / "moved", cwd=project, code=5, says="`fuse.sshfs`", hint=HINT)
    assert list((tmp_path / "served").iterdir()) == []
    assert called("verify", cwd=project).code == 0


def test_a_backup_may_lie_on_a_network_disk(share: Mount, make_project: ProjectMaker, tmp_path: Path) -> None:
    project, backup = make_project({"MLproject": single("echo fine")}), share("disk") / "backup"
    assert called("run", ".", *LOCAL, cwd=project).code == 0
    for _ in range(2):
        assert called("store", "backup", backup, cwd=project).code == 0
    again = tmp_path / "again"
    assert called("store", "restore", backup, cwd=project, variables={"MLPROJ_STORE": str(again)}).code == 0
    assert called("verify", "--store", again, cwd=project).code == 0


def test_a_store_that_came_to_a_network_disk_is_read_where_nobody_can_write(
    share: Mount, make_project: ProjectMaker, tmp_path: Path
) -> None:
    project = make_project({"MLproject": single("echo fine")})
    served = tmp_path / "served" / "store"
    assert called("run", ".", *LOCAL, "--store", served, cwd=project).code == 0
    disk = share("disk") / "store"
    told("runs", "--store", disk, cwd=project, code=5, says="`fuse.sshfs`", hint=HINT)
    disk = share("sealed", readonly=True) / "store"
    for command in (("runs",), ("show", "last"), ("verify",)):
        answer = called(*command, "--store", disk, cwd=project)
        assert answer.code == 0, answer
