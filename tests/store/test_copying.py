"""A store backed up, restored and moved, while it is in use."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Event, Note, silent
from mlproj.model.run import Run, Status
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.founding import WORKSPACES
from mlproj.store.opening import open_store
from mlproj.store.relocating import back_up, move, restore
from mlproj.store_ports import RunQuery
from tests.conftest import need
from tests.store.runs import begun, ended

MOVE_WATCHED = """
import os, sys
from pathlib import Path
from mlproj.model.events import silent
from mlproj.store.relocating import move
def tell(event, arguments):
    if event == "os.remove" and os.path.dirname(arguments[0]) == sys.argv[1]:
        print(os.path.basename(arguments[0]))
root = Path(sys.argv[1])
for name in ("store.db-shm", "store.db-wal"):
    (root / name).touch()
sys.addaudithook(tell)
move(root, Path(sys.argv[2]), wait=False, report=silent)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".mlproj"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return open_store(root, create=True)


def sealed(store: FolderStore, name: str) -> Run:
    run = begun(store.blobs, name=name)
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=name.encode()))


def names(root: Path) -> list[str]:
    store = open_store(root, create=False)
    try:
        assert verify(store).sound
        return [run.name for run in store.search(RunQuery(limit=None))]
    finally:
        store.close()


def test_a_backup_is_a_store_and_a_second_one_brings_what_is_new(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "first")
    first = back_up(root, tmp_path / "backup", silent)
    assert first.files == len(list(store.blobs.digests()))
    assert names(tmp_path / "backup") == ["first"]
    sealed(store, "second")
    second = back_up(root, tmp_path / "backup", silent)
    assert (second.files, second.altered) == (1, ())
    assert names(tmp_path / "backup") == ["second", "first"]
    assert sorted(path.name for path in (tmp_path / "backup").glob("store.db*")) == ["store.db"]


def test_a_backup_of_a_store_in_use_holds_what_was_sealed(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    stop = threading.Event()

    def work() -> None:
        ours = open_store(root, create=False)
        number = 0
        while not stop.is_set():
            sealed(ours, f"run-{number}")
            number += 1
        ours.close()

    sealed(store, "before")
    running = begun(store.blobs, name="running")
    worker = threading.Thread(target=work)
    with store.begin(running):
        logs = store.workspace(running.run_id) / "logs"
        logs.mkdir()
        (logs / "stdout").write_bytes(b"so far\n")
        os.mkfifo(logs / "pipe")
        worker.start()
        for number in range(5):
            back_up(root, tmp_path / f"backup-{number % 2}", silent)
        stop.set()
        worker.join()
    for folder in ("backup-0", "backup-1"):
        assert "before" in names(tmp_path / folder)
        copy = open_store(tmp_path / folder, create=False).find("running")
        assert copy.status is Status.KILLED and copy.outcome is not None
        assert [log.name for log in copy.outcome.logs] == ["stdout"]


def test_files_of_models_and_traces_are_copied_and_moved(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "first")
    files = [Path(kind, "one", "artifacts", "file") for kind in WORKSPACES]
    for file in files:
        (root / file).parent.mkdir(parents=True)
        (root / file).write_bytes(b"content")
    back_up(root, tmp_path / "backup", silent)
    store.close()
    move(root, tmp_path / "moved", wait=False, report=silent)
    for copy in (tmp_path / "backup", tmp_path / "moved"):
        assert [(copy / file).read_bytes() for file in files] == [b"content"] * len(files)
    restore(tmp_path / "backup", tmp_path / "moved", replacing=True, report=silent)
    assert [(tmp_path / "moved" / file).exists() for file in files] == [True] * len(files)


def test_a_backup_goes_over_no_other_store(store: FolderStore, root: Path, tmp_path: Path) -> None:
    sealed(store, "ours")
    other = open_store(tmp_path / "other", create=True)
    sealed(other, "theirs")
    other.close()
    with pytest.raises(StoreError, match="another history"):
        back_up(root, tmp_path / "other", silent)
    assert names(tmp_path / "other") == ["theirs"]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    with pytest.raises(StoreError, match="other files in it"):
        back_up(root, tmp_path / "folder", silent)
    for place in (root / "inside", tmp_path / "project"):
        with pytest.raises(StoreError, match="lies in the store"):
            back_up(root, place, silent)


def test_a_backup_that_was_looked_at_while_runs_went_on_takes_the_next_one(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    running = begun(store.blobs, name="running")
    with store.begin(running):
        back_up(root, tmp_path / "backup", silent)
        assert names(tmp_path / "backup") == ["running"]  # and closes it there
        store.seal(ended(store.blobs, running))
    sealed(store, "later")
    back_up(root, tmp_path / "backup", silent)
    assert names(tmp_path / "backup") == ["later", "running"]
    copy = open_store(tmp_path / "backup", create=False)
    assert copy.find("running").status is Status.FINISHED
    sealed(copy, "theirs")
    copy.close()
    with pytest.raises(StoreError, match="another history"):
        back_up(root, tmp_path / "backup", silent)


def test_content_that_was_altered_is_left_behind_and_told(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "model")
    altered = Digest.of(b"model")
    store.blobs.path(altered).write_bytes(b"MODEL")
    assert back_up(root, tmp_path / "backup", silent).altered == (altered,)
    assert altered not in open_store(tmp_path / "backup", create=False).blobs


def test_a_store_is_restored_and_what_was_there_is_kept(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "first")
    back_up(root, tmp_path / "backup", silent)
    sealed(store, "second")
    with pytest.raises(StoreError, match="there is something") as told:
        restore(tmp_path / "backup", root, replacing=False, report=silent)
    assert told.value.hint is not None
    with pytest.raises(StoreError, match="in use"):
        restore(tmp_path / "backup", root, replacing=True, report=silent)
    store.close()
    events: list[Event] = []
    restore(tmp_path / "backup", root, replacing=True, report=events.append)
    assert names(root) == ["first"]
    (aside,) = root.parent.glob(".mlproj.before-restore-*")
    assert names(aside) == ["second", "first"]
    assert any(isinstance(event, Note) and str(aside) in event.message for event in events)
    restore(tmp_path / "backup", tmp_path / "elsewhere" / "new", replacing=False, report=silent)
    assert names(tmp_path / "elsewhere" / "new") == ["first"]
    with pytest.raises(StoreError, match="no store at"):
        restore(tmp_path / "project", tmp_path / "again", replacing=False, report=silent)


def test_what_killed_copies_left_is_in_nobodys_way(store: FolderStore, root: Path, tmp_path: Path) -> None:
    sealed(store, "first")
    back_up(root, tmp_path / "backup", silent)
    (tmp_path / "backup" / "store.db").rename(tmp_path / "backup" / "store.db.arriving")
    (tmp_path / "backup" / "runs").mkdir(exist_ok=True)
    (root / "store.db.copy-0123").write_bytes(b"half")
    back_up(root, tmp_path / "backup", silent)
    assert names(tmp_path / "backup") == ["first"]
    assert [path.name for path in store.housekeeper.garbage(grace_s=0).leftovers] == ["store.db.copy-0123"]
    half = tmp_path / "new.restoring-0123"
    (half / "blobs").mkdir(parents=True)
    restore(tmp_path / "backup", tmp_path / "new", replacing=False, report=silent)
    assert names(tmp_path / "new") == ["first"] and not half.exists()


def test_a_store_that_cannot_be_opened_is_restored_over(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "first")
    back_up(root, tmp_path / "backup", silent)
    store.close()
    (root / "store.db").write_bytes(b"\xff" * 10_000)
    with pytest.raises(StoreError, match="damaged"):
        back_up(root, tmp_path / "backup", silent)
    restore(tmp_path / "backup", root, replacing=True, report=silent)
    assert names(root) == ["first"]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same file system", "another file system"])
def test_a_moved_store_is_found_from_where_it_was(
    store: FolderStore, root: Path, tmp_path: Path, elsewhere: bool
) -> None:
    shared = Path("/dev/shm")
    if elsewhere:
        need("shm", shared.is_dir() and shared.stat().st_dev != tmp_path.stat().st_dev)
    target = (shared / f"mlproj-test-{os.getpid()}" if elsewhere else tmp_path) / "new" / "place"
    sealed(store, "first")
    store.close()
    try:
        assert move(root, target, wait=False, report=silent).path == target
        assert names(root) == names(target) == ["first"]
        ours = open_store(root, create=True)
        assert ours.root == target
        sealed(ours, "second")
        ours.close()
        assert {path.name for path in root.iterdir()} - {"locks"} == {".gitignore", "moved-to"}
        move(root, tmp_path / "third", wait=False, report=silent)
        assert names(root) == ["second", "first"]
        with pytest.raises(StoreError, match="cannot be moved to"):
            move(root, tmp_path / "third", wait=False, report=silent)
    finally:
        if elsewhere:
            shutil.rmtree(target.parents[1], ignore_errors=True)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Path]:
    """A folder, to be made, on another file system."""
    shared = Path("/dev/shm")
    need("shm", shared.is_dir() and shared.stat().st_dev != tmp_path.stat().st_dev)
    yield shared / f"mlproj-far-{os.getpid()}"
    shutil.rmtree(shared / f"mlproj-far-{os.getpid()}", ignore_errors=True)


def test_a_move_to_another_file_system_takes_away_the_database_before_its_journal(
    store: FolderStore, root: Path, far: Path
) -> None:
    sealed(store, "first")
    store.close()
    (root / f"{FILE}.before-0001").write_bytes(b"as it was")
    command = [sys.executable, "-c", MOVE_WATCHED, str(root), str(far)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ours = [name for name in done.stdout.split() if name in (FILE, f"{FILE}-shm", f"{FILE}-wal")]
    assert ours == [FILE, f"{FILE}-shm", f"{FILE}-wal"]
    assert (far / f"{FILE}.before-0001").read_bytes() == b"as it was"


MOVE_KILLED = """
import os, signal, sys
from pathlib import Path
from mlproj.store.relocating import move
seen = 0
def hook(event, arguments):
    global seen
    if event in ("open", "os.rename", "os.mkdir", "os.chmod", "shutil.rmtree", "ctypes.dlsym", "os.remove"):
        seen += 1
        if seen == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
move(Path(sys.argv[1]), Path(sys.argv[2]), wait=False, report=lambda event: None)
"""


def test_a_move_that_is_killed_anywhere_leaves_a_store_that_is_found(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    sealed(store, "first")
    store.close()
    target, kills = tmp_path / "new", 0
    for moment in range(1, 100):
        command = [sys.executable, "-c", MOVE_KILLED, str(root), str(target), str(moment)]
        code = subprocess.run(command).returncode
        with contextlib.closing(open_store(root, create=False)) as found:
            assert names(found.root) == ["first"] and verify(found).sound
            if found.root == target:
                break
        assert code == -signal.SIGKILL
        kills += 1
    assert kills > 3 and names(root) == names(target) == ["first"]


def test_a_move_that_fails_leaves_nothing_in_the_way_of_the_next(
    store: FolderStore, root: Path, far: Path
) -> None:
    sealed(store, "model")
    store.close()
    path = root / "blobs" / "sha256" / Digest.of(b"model").hex[:2] / Digest.of(b"model").hex[2:]
    path.write_bytes(b"MODEL")
    (root / "moved-to").mkdir()
    for _ in range(2):
        with pytest.raises(StoreError, match="not what was recorded"):
            move(root, far, wait=False, report=silent)
    path.write_bytes(b"model")
    for _ in range(2):
        with pytest.raises(StoreError, match=f"the store `{root}` cannot be used"):
            move(root, far, wait=False, report=silent)
    (root / "moved-to").rmdir()
    move(root, far, wait=False, report=silent)
    assert names(root) == ["model"]


def test_a_move_waits_for_those_who_have_the_store_open(
    store: FolderStore, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="in use"):
        move(root, tmp_path / "new", wait=False, report=silent)
    asked = threading.Event()
    mover = threading.Thread(
        target=move,
        args=(root, tmp_path / "new"),
        kwargs={"wait": True, "report": lambda event: asked.set()},
    )
    run = begun(store.blobs, name="running")
    with store.begin(run):
        mover.start()
        assert asked.wait(20)
        store.seal(ended(store.blobs, run))
    assert not (tmp_path / "new").exists()
    store.close()
    mover.join(20)
    assert names(root) == ["running"]


def test_a_pipe_where_word_of_a_move_would_be_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "moved-to")
    with pytest.raises(StoreError, match="not a regular file"):
        open_store(tmp_path, create=False)


def test_a_store_that_was_moved_in_a_circle_is_told(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one).mkdir()
        (tmp_path / one / "moved-to").write_text(f"{tmp_path / other}\n")
    with pytest.raises(StoreError, match="in a circle"):
        open_store(tmp_path / "a", create=True)
