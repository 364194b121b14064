from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mlproj.errors import NoRoom, RunNotFound, StoreError
from mlproj.model.record import blobs_of, opening_document, read_document, seal_document
from mlproj.model.run import Run, Status
from mlproj.model.tracking import RunStatus
from mlproj.services.verify import verify
from mlproj.store.closing import LATER, REASON
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store_ports import Condition, RunQuery
from tests.store.arrivals import arrived
from tests.store.runs import begun, ended

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".mlproj"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return open_store(root, create=True)


@pytest.fixture
def sealed(store: FolderStore) -> Run:
    run = begun(store.blobs)
    with store.begin(run):
        return store.seal(ended(store.blobs, run))


def recorder(root: Path, task: str, code: str = "") -> subprocess.Popen[str]:
    arguments = ["-c", code] if code else ["-m", "tests.store.recorder"]
    return subprocess.Popen(
        [sys.executable, *arguments, str(root), task], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )


@contextlib.contextmanager
def hanging(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has begun a run and will not end it, with the run's id."""
    with recorder(root, "hang") as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_store_is_the_owners_alone_and_invisible_to_git(root: Path, sealed: Run) -> None:
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert (root / ".gitignore").read_text() == "*\n"
    files = [path for path in root.rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not list((root / "blobs" / "incoming").iterdir())
    assert not list((root / "locks").glob(sealed.run_id))


def test_recording_a_run_loads_neither_sqlalchemy_nor_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from tests.store.recorder import main; main(*sys.argv[1:]);"
        "from mlproj.store.opening import open_store; from pathlib import Path;"
        "open_store(Path(sys.argv[1]), create=False).find('last');"
        "sys.stdout.write(' '.join({'sqlalchemy', 'alembic', 'asyncio'} & set(sys.modules)))"
    )
    with recorder(tmp_path / "store", "1", code) as process:
        assert process.communicate()[0] == ""
    assert process.returncode == 0


def test_eight_processes_recording_at_once_make_one_unbroken_chain(root: Path) -> None:
    processes = [recorder(root, "20") for _ in range(8)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 8
    verification = verify(open_store(root, create=False))
    assert verification.problems == ()
    assert (verification.entries, verification.runs) == (160, 160)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans(),
    metric=st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["NaN", "Infinity", "-Infinity"]),
)
@example(value=1e17, metric=1e300)
@example(value=-0.0, metric=-0.0)
@example(value="a\0b\ud7ff", metric=5e-324)
def test_whatever_values_a_run_has_its_record_verifies_and_reads_back(
    store: FolderStore, value: str | int | float | bool, metric: float | str
) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    parameters = (replace(run.job.parameters[0], value=value),)
    run = replace(run, job=replace(run.job, parameters=parameters))
    with store.begin(run):
        assert seal_document(ended(store.blobs, store.find(run.run_id), rmse=metric)) == seal_document(
            ended(store.blobs, run, rmse=metric)
        )
        done = store.seal(ended(store.blobs, run, rmse=metric))
    found = store.find(run.run_id)
    assert found == done
    assert verify(store, found).problems == ()


def test_a_run_whose_runner_was_killed_is_closed_at_the_next_look(root: Path) -> None:
    with hanging(root) as (process, run_id):
        store = open_store(root, create=True)
        assert store.find(run_id).status is Status.RUNNING
        process.send_signal(signal.SIGKILL)
        process.wait()
        run = store.find(run_id)
    assert run.outcome is not None
    assert (run.status, run.outcome.reason, run.outcome.exit_code) == (Status.KILLED, REASON, None)
    assert [(log.name, store.blobs.path(log.digest).read_bytes()) for log in run.outcome.logs] == [
        ("stdout", b"so far\n")
    ]
    assert verify(store).problems == ()
    assert not (root / "locks" / run_id).exists()


def test_several_that_look_at_once_close_a_dead_run_once(root: Path) -> None:
    with hanging(root) as (process, _):
        process.kill()
        process.wait()
    code = "import sys; from pathlib import Path; from mlproj.store.opening import open_store;"
    code += "open_store(Path(sys.argv[1]), create=False).find('last')"
    lookers = [recorder(root, "", code) for _ in range(4)]
    for looker in lookers:
        looker.communicate()
    assert [looker.returncode for looker in lookers] == [0] * 4
    assert len(list(open_store(root, create=False).entries())) == 1


def test_a_dead_runs_record_says_what_never_came_into_the_store(root: Path, store: FolderStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        pass
    for reference in blobs_of(run):
        store.blobs.remove(reference.digest)
    closed = store.find(run.run_id)
    assert closed.outcome is not None
    assert set(closed.outcome.lost) == {reference.digest for reference in blobs_of(run)}
    assert verify(store).problems == ()


@pytest.mark.parametrize(
    ("host", "boot", "status"),
    [
        ("elsewhere", "another", Status.UNKNOWN),
        ("", "another", Status.KILLED),
        ("elsewhere", "", Status.KILLED),
    ],
    ids=["another host", "this host, an earlier boot", "another container on this kernel"],
)
def test_only_a_kernel_that_holds_the_lock_says_that_a_run_is_dead(
    root: Path, store: FolderStore, host: str, boot: str, status: Status
) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        pass
    with contextlib.closing(sqlite3.connect(root / FILE)) as connection, connection:
        connection.execute(
            "UPDATE runs SET supervisor = coalesce(nullif(?, ''), supervisor),"
            " boot_id = coalesce(nullif(?, ''), boot_id)",
            (host, boot),
        )
    assert store.find(run.run_id).status is status
    query = RunQuery(conditions=(Condition(field="status", operator="=", value=status.value),))
    assert [found.run_id for found in store.search(query)] == [run.run_id]


def test_a_run_that_fails_inside_begin_stays_open_until_the_next_look(store: FolderStore) -> None:
    run = begun(store.blobs)
    with pytest.raises(ZeroDivisionError), store.begin(run):
        raise ZeroDivisionError
    assert store.find(run.run_id).status is Status.KILLED


def test_history_from_elsewhere_is_wrapped_without_a_plan(store: FolderStore) -> None:
    found = arrived(store, "elder", status=RunStatus.FAILED, document=b'{"run_uuid": "x"}')
    bare = arrived(store, "dangling", status=RunStatus.RUNNING)
    assert (found.plan, found.status, bare.status) == (None, Status.FAILED, Status.UNKNOWN)
    assert found.imported is not None
    assert store.blobs.path(found.imported.document).read_bytes() == b'{"run_uuid": "x"}'
    assert b'"plan":null' in next(entry.payload or b"" for entry in store.entries())
    assert verify(store).problems == ()
    store.blobs.remove(found.imported.document)
    assert [problem.part for problem in verify(store).problems] == ["imported.document"]


def forgotten(store: FolderStore, run: Run) -> None:
    store.hide(run.run_id)
    garbage = store.housekeeper.garbage(without=[run.run_id])
    store.housekeeper.forget([run.run_id], who="ada", why="held a secret")
    store.housekeeper.remove(garbage)


def test_forgotten_content_is_gone_from_the_database_file(root: Path, store: FolderStore) -> None:
    run = begun(store.blobs, tags=(("note", "MARKER-OF-A-SECRET"),))
    with store.begin(run):
        store.seal(ended(store.blobs, run, stdout=b"training MARKER-OF-A-SECRET"))
    forgotten(store, run)
    store.close()
    assert not [path for path in root.rglob("*") if path.is_file() and b"MARKER" in path.read_bytes()]


def test_what_there_is_no_room_to_seal_is_closed_later_as_it_ended(root: Path, store: FolderStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        complete = ended(store.blobs, run)
        assert complete.outcome is not None
        large = replace(complete.outcome, notes=("x" * 10**5,))
        with pytest.raises(NoRoom, match="no space is left") as full:
            store.seal(replace(complete, outcome=large))
    assert full.value.hint is not None and "closes the run as it ended" in full.value.hint
    store.close()
    found = open_store(root, create=False).find(run.run_id)
    assert found.record is not None and found.outcome is not None
    assert found.outcome == replace(large, notes=(*large.notes, LATER))
    assert not list((root / "runs").iterdir())
    assert verify(open_store(root, create=False)).sound


READ = """
import ctypes, os, sys
from pathlib import Path
from mlproj.errors import NoRoom, StoreError
from mlproj.store_ports import RunQuery
from mlproj.services.logs import read_log
from mlproj.services.verify import verify
from mlproj.store.opening import open_store
store = open_store(Path(sys.argv[1]), create=False)
run = store.find("last")
listed = len(store.search(RunQuery()))
log = b"".join(piece.data for piece in read_log(store, run))
told = ""
try:
    store.hide(run.run_id)
except StoreError as error:
    told = error.message
sys.stdout.write(repr((run.status.value, listed, verify(store).sound, log, "cannot be written" in told)))
"""


def without_override() -> None:
    """Root may write anywhere: takes that away from the process that is about to start."""
    library = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        library.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
@pytest.mark.parametrize("state", ["quiet", "with a journal", "with a journal and no index of it"])
def test_a_read_only_store_can_be_listed_shown_and_verified(
    root: Path, store: FolderStore, sealed: Run, state: str
) -> None:
    if state == "quiet":
        store.close()
    if "no index" in state:
        (root / f"{FILE}-shm").unlink()
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in (*files, *folders):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ, str(root)],
            cwd=REPOSITORY,
            preexec_fn=without_override if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
        )
    finally:
        for path in folders:
            path.chmod(0o700)
    assert done.stderr == ""
    assert done.stdout == repr(("FINISHED", 1, True, b"training\nwarning\nloss 1\n", True))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_store_is_only_read(root: Path, store: FolderStore, sealed: Run) -> None:
    store.close()
    os.chown(root, 12345, -1)
    foreign = open_store(root, create=True)
    assert not foreign.writable
    assert foreign.find("last").run_id == sealed.run_id
    with pytest.raises(StoreError, match="cannot be written"):
        foreign.hide(sealed.run_id)


def test_a_dead_run_whose_manifest_was_altered_is_closed_and_told(store: FolderStore) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    with store.begin(run):
        pass
    store.blobs.path(run.job.source.snapshot).write_bytes(b"no manifest\n\xff")
    assert store.find(run.run_id).status is Status.KILLED
    assert not verify(store).sound


def test_an_opening_that_cannot_be_read_is_closed_all_the_same(root: Path, store: FolderStore) -> None:
    run = begun(store.blobs)
    assert read_document(opening_document(run), name=run.name) == run
    with store.begin(run):
        pass
    with contextlib.closing(sqlite3.connect(root / FILE)) as connection, connection:
        connection.execute("UPDATE runs SET opening = x'00'")
    assert store.find(run.run_id).status is Status.KILLED
    with pytest.raises(RunNotFound):
        store.find("0" * 32)
