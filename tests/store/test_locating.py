from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.store.locating import locate, network_file_system


def test_the_nearest_store_upward_is_used(tmp_path: Path) -> None:
    (tmp_path / ".mlproj").mkdir()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert locate(None, {}, deep) == tmp_path / ".mlproj"
    (tmp_path / "a" / ".mlproj").mkdir()
    assert locate(None, {}, deep) == tmp_path / "a" / ".mlproj"


def test_without_one_it_is_here(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".mlproj").write_text("a file is no store")
    assert locate(None, {}, tmp_path / "a") == tmp_path / "a" / ".mlproj"


def test_what_is_named_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".mlproj").mkdir()
    environ = {"MLPROJ_STORE": "from-variable"}
    assert locate(None, environ, tmp_path) == tmp_path / "from-variable"
    assert locate("../given", environ, tmp_path) == tmp_path.parent / "given"
    assert locate("/given", environ, tmp_path) == Path("/given")


@pytest.mark.parametrize("uri", ["postgresql://ada:secret@host/runs", "mysql://ada:secret@host/runs"])
def test_a_database_uri_is_not_taken_for_a_folder(tmp_path: Path, uri: str) -> None:
    with pytest.raises(StoreError, match="has its database at a server") as refused:
        locate(uri, {}, tmp_path)
    assert refused.value.hint is not None and "pg_dump" in refused.value.hint
    assert "secret" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_store_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a" / ".mlproj").mkdir(parents=True)
    (tmp_path / ".mlproj").mkdir()
    os.chown(tmp_path / "a" / ".mlproj", 12345, -1)
    assert locate(None, {}, tmp_path / "a") == tmp_path / ".mlproj"


@pytest.mark.parametrize(
    ("kind", "told"), [("nfs4", "nfs4"), ("ext4", None), ("lustre", "lustre"), ("btrfs", None)]
)
def test_a_network_file_system_is_recognized(tmp_path: Path, kind: str, told: str | None) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 0:1 / / rw - proc proc rw\n"
        f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime master:1 - {kind} server:/x rw\n"
    )
    assert network_file_system(tmp_path, mounts) == told
    assert network_file_system(tmp_path, tmp_path / "missing") is None


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    for uri in ("postgresqlx://joe:hidden@host/db", "s3://joe:hidden@host/db"):
        with pytest.raises(StoreError, match="not in") as refused:
            locate(uri, {}, tmp_path)
        assert "hidden" not in refused.value.message
