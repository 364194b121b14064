"""What a snapshot holds where there is more than it may hold: the rest is digested, named, and told of."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import encode
from mlproj.model.source import LISTED
from mlproj.ports import SnapshotRules
from mlproj.store.opening import open_store
from tests.conftest import ProjectMaker
from tests.provenance.conftest import Look, omitted, paths

BEYOND = "beyond the snapshot's limit"


def test_the_smallest_come_first_and_what_git_tracks_before_the_rest(
    make_project: ProjectMaker, look: Look
) -> None:
    root = make_project({"a": "x" * 30, "b": "y" * 50, "c": "z" * 20})
    (root / "data").mkdir()
    for number, size in enumerate((5, 40, 10)):
        (root / "data" / str(number)).write_text("." * size)
    state, snapshot = look(root, SnapshotRules(total_limit=110))
    assert paths(snapshot) == ["a", "b", "c", "data/0"]
    assert omitted(snapshot) == {"data/1": BEYOND, "data/2": BEYOND}
    assert {file.path: file.digest for file in snapshot.omitted}["data/1"] == Digest.of(b"." * 40)
    [note] = look.notes
    assert "2 files of 50 bytes" in note and "in `data/`" in note and "MLPROJ_SNAPSHOT_LIMIT" in note
    whole, _ = look(root)
    assert whole.snapshot == state.snapshot, "what is held makes no difference to what it is"
    _, kept = look(root, SnapshotRules(total_limit=60, keep=("data/1",)))
    assert paths(kept) == ["c", "data/1"], "what is named is held, and counts"


def test_without_git_the_smallest_come_first(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "x" * 30, "b": "y" * 50, "c": "z" * 20}, git=False)
    _, snapshot = look(root, SnapshotRules(total_limit=60))
    assert (paths(snapshot), omitted(snapshot)) == (["a", "c"], {"b": BEYOND})
    assert "most of it in no folder" in look.notes[0]


def test_at_the_limit_nothing_is_said(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "x" * 30, "b": "y" * 50})
    _, snapshot = look(root, SnapshotRules(total_limit=80, size_limit=50))
    assert (paths(snapshot), look.notes) == (["a", "b"], [])


def test_a_record_stays_small_however_much_is_left_out(make_project: ProjectMaker, look: Look) -> None:
    files = {f"data/{number:04}": str(number) for number in range(LISTED + 500)}
    root = make_project({"MLproject": "", **files})
    (root / ".env").write_text("S=1")
    state, snapshot = look(root, SnapshotRules(total_limit=0))
    assert len(snapshot.omitted) == LISTED + 501
    assert len(state.omitted) == LISTED and len(encode(state)) < 250_000
    assert state.omitted[0].path == ".env", "what was not even read comes first"
    assert snapshot.omitted_manifest is not None
    assert state.omitted_manifest == Digest.of(snapshot.omitted_manifest)
    assert {path for path, _, _ in read_manifest(snapshot.omitted_manifest)} == {*map(str.encode, files)}
    state, snapshot = look(root)
    assert (state.omitted_manifest, snapshot.omitted_manifest) == (None, None)


def test_a_run_over_the_limit_is_recorded_and_verified(make_project: ProjectMaker, tmp_path: Path) -> None:
    files = {f"data/{number:04}": str(number) * 9 for number in range(LISTED + 200)}
    root = make_project({"MLproject": "entry_points: {main: {command: 'true'}}\n", **files})
    environ = {
        **os.environ,
        "MLPROJ_STORE": str(tmp_path / "store"),
        "MLPROJ_CACHE_DIR": str(tmp_path / "cache"),
        "MLPROJ_SNAPSHOT_LIMIT": "100",
    }

    def mlproj(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "mlproj", *arguments)
        return subprocess.run(command, env=environ, capture_output=True, text=True, cwd=tmp_path)

    done = mlproj("run", str(root), "--env-manager", "local")
    assert done.returncode == 0 and "digested but not held" in done.stderr
    with contextlib.closing(open_store(tmp_path / "store", create=False)) as store:
        source = store.find("last").job
        assert source is not None
        assert source.source.omitted_manifest is not None
        assert source.source.omitted_manifest in store.blobs
        assert Digest.of(b"999" * 9) not in store.blobs
    assert mlproj("verify").returncode == 0
    (found,) = (tmp_path / "store" / "blobs").rglob(source.source.omitted_manifest.hex[2:])
    found.chmod(0o600)
    found.unlink()
    broken = mlproj("verify")
    assert broken.returncode == 7 and "source.omitted_manifest" in broken.stdout + broken.stderr
