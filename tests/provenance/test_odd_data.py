"""Data that moves, has holes, leads in circles, is locked or lies too deep: digested right, or refused."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlproj.errors import DataError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, folder_manifest
from mlproj.ports import ObservedInput
from mlproj.provenance.batches import look as look_at
from mlproj.provenance.folders import Moving, walk_data
from mlproj.provenance.reading import MOVING, PIECE, SPECIAL, Result, fingerprint_of, read_batch
from mlproj.provenance.statcache import StatCache
from tests.provenance.conftest import Look
from tests.provenance.test_data import digest, sha256sum

REPOSITORY = Path(__file__).resolve().parents[2]


def read(path: Path, tell: Callable[[int], None] = lambda _: None, *, before: bytes | None = None) -> Result:
    """What comes of reading one file that is expected as it is now, or as `before`."""
    print_ = before or fingerprint_of(path.stat())
    [result] = read_batch(bytes(path.parent), [os.fsencode(path.name)], [print_], True, tell)
    return result


@contextlib.contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Does something again and again in a thread."""
    done = threading.Event()

    def go() -> None:
        while not done.is_set():
            work()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_file_that_changes_once_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1" * 3 * PIECE)
    changes = iter([b"2" * 2 * PIECE])

    def change(_: int) -> None:
        for content in changes:
            path.write_bytes(content)

    result = read(path, change)
    assert isinstance(result, tuple)
    assert Digest.from_raw(result[0]) == Digest.of(b"2" * 2 * PIECE)
    assert result[1] == fingerprint_of(path.stat())


def test_a_file_that_is_another_by_now_is_told_with_its_state(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1")
    before = fingerprint_of(path.stat())
    path.write_text("longer")
    result = read(path, before=before)
    assert isinstance(result, tuple) and Digest.from_raw(result[0]) == Digest.of(b"longer")


def test_a_file_that_grows_all_the_time_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1" * PIECE)

    def grow(_: int) -> None:
        with path.open("ab") as file:
            file.write(b"2" * 1000)

    assert read(path, grow) == MOVING


def test_a_moving_file_is_refused_and_never_remembered(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    descriptor = os.open(path, os.O_WRONLY)

    def write() -> None:
        os.pwrite(descriptor, b"1", 0)

    with meanwhile(write):
        for data in (path, tmp_path):
            with pytest.raises(DataError, match="`data` keeps changing while it is read") as caught:
                digest(look, data, tmp_path)
            assert caught.value.hint and "wait" in caught.value.hint
    os.close(descriptor)
    assert digest(look, path).state.digest == digest_of(path)[0]


def test_a_folder_that_is_written_to_is_refused(look: Look, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3000):
        (data / str(number)).write_text("x")

    def write() -> None:
        (data / "new").write_text("x")
        (data / "new").unlink()

    with meanwhile(write), pytest.raises(DataError, match="keeps changing while it is read"):
        digest(look, data)
    assert digest(look, data).state.files == 3000


@pytest.mark.parametrize("change", ["new", "sub/new", "a", "sub"])
def test_what_comes_or_goes_during_the_walk_is_noticed(tmp_path: Path, change: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("1")
    (tmp_path / "sub" / "b").write_text("1")
    for folder in (tmp_path / "sub", tmp_path):
        os.utime(folder, (1, 1))  # a change within the clock's grain would not show
    walk = walk_data(bytes(tmp_path), print)
    names = [next(walk).names for _ in range(2)]
    assert names == [[b"a"], [b"b"]]
    if change == "sub":
        (tmp_path / "sub").rename(tmp_path / "other")
    elif (tmp_path / change).exists():
        (tmp_path / change).unlink()
    else:
        (tmp_path / change).touch()
    with pytest.raises(Moving):
        list(walk)


def test_what_vanishes_after_it_was_listed_is_noticed(tmp_path: Path, look: Look) -> None:
    """A file that is no link and is not there any more has gone meanwhile: it is no dangling link."""
    (tmp_path / "a").write_text("1")
    with StatCache(look.cache, tmp_path, purpose="data") as cache:
        [segment] = walk_data(bytes(tmp_path), print)
        (tmp_path / "a").unlink()
        told: list[object] = []
        batch = look_at(segment, cache, lambda *found: told.append(found[2]), follow=True)
    assert batch.names == [] and isinstance(told[0], FileNotFoundError)
    assert read(tmp_path / "a", before=b"\0" * 40) == errno.ENOENT


@pytest.mark.parametrize("islands", [(), (0,), (5 << 20,), (0, 3 << 20, (64 << 20) - 1)])
def test_holes_are_zeros(look: Look, tmp_path: Path, islands: tuple[int, ...]) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 << 20)
        for place in islands:
            os.pwrite(file.fileno(), b"x", place)
    seen = digest(look, path).state
    assert (seen.digest, seen.size) == digest_of(path)


def test_what_is_no_file_is_never_waited_for(look: Look, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("12345")
    before = fingerprint_of((tmp_path / "x").stat())
    os.mkfifo(tmp_path / "fifo")
    assert read(tmp_path / "fifo", before=before) == SPECIAL
    assert read(Path("/dev/zero"), before=before) == SPECIAL
    for path in (tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(DataError, match="is neither a file nor a folder") as caught:
            digest(look, path)
        assert caught.value.hint
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "zero").symlink_to("/dev/zero")
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # a container may forbid it
            os.mknod(tmp_path / "data" / "device", stat.S_IFCHR, os.makedev(1, 5))
    assert digest(look, tmp_path / "data").state.files == 0
    assert any("zero` is neither a file nor a folder" in note for note in look.notes)


def test_loops_end(look: Look, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("a", "b"):
        (data / name).mkdir(parents=True)
        (data / name / "x").write_text(name)
    (data / "a" / "b").symlink_to("../b")
    (data / "b" / "a").symlink_to("../a")
    (data / "self").symlink_to(".")
    (data / "above").symlink_to("..")
    (data / "ring").symlink_to("gnir")
    (data / "gnir").symlink_to("ring")
    assert digest(look, data).state.digest == sha256sum(data)
    assert any("leads back" in note for note in look.notes)


def test_many_left_out_are_told_in_few_words(look: Look, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(30):
        (tmp_path / "data" / str(number)).symlink_to("nowhere")
    assert digest(look, tmp_path / "data").state.files == 0
    assert len(look.notes) == 11 and "and 20 more" in look.notes[-1]


LOOK = """
import os, sys
from pathlib import Path
from mlproj.errors import DataError
from mlproj.provenance.observer import Observer
for name in sys.argv[2:]:
    path = Path(sys.argv[1], name)
    try:
        Observer(Path(sys.argv[1], "cache"), os.environ).data("d", path, path, declared=True, report=print)
    except DataError as error:
        print(name, error.message, error.hint)
"""


def without_override() -> None:
    """Root may read everything: takes that away from the process that is about to start."""
    library = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        library.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path) -> None:
    for name in ("file", "in/file", "folder/below/x", "linked/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "linked" / "away").symlink_to(tmp_path / "folder" / "below" / "x")
    for name in ("file", "in/file", "folder/below"):
        (tmp_path / name).chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path), "file", "in", "folder", "linked"],
        cwd=REPOSITORY,
        preexec_fn=without_override if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
    )
    (tmp_path / "folder" / "below").chmod(0o700)
    lines = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["file", "in", "folder", "linked"], done.stderr
    assert all("cannot read `" in line and "Permission denied" in line for line in lines)
    assert all("right to read it" in line for line in lines)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with 2,000 folders in each other, and the path of the file at its end: 22,000 bytes long."""
    top = tmp_path / "deep"
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("0123456789", dir_fd=at)
        below = os.open("0123456789", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    with os.fdopen(os.open("end", os.O_WRONLY | os.O_CREAT, dir_fd=at), "w") as file:
        file.write("here")
    os.symlink("nowhere", "dangling", dir_fd=at)
    os.close(at)
    (top / "top").write_text("1")
    yield top, "0123456789/" * 2000 + "end"
    subprocess.run(("rm", "-rf", top), check=True)  # as deep as this, shutil gives up


def test_a_very_deep_folder(look: Look, deep: tuple[Path, str]) -> None:
    top, path = deep
    expected = Digest.of(folder_manifest([(path.encode(), Digest.of(b"here")), (b"top", Digest.of(b"1"))]))
    assert digest(look, top).state.digest == expected
    assert any("leads nowhere" in note for note in look.notes)


def test_a_very_deep_source_is_named_as_what_cannot_be_read(look: Look, deep: tuple[Path, str]) -> None:
    _, snapshot = look(deep[0])
    assert [file.path for file in snapshot.files] == ["top"]
    assert {file.path: file.reason for file in snapshot.omitted}[deep[1]] == "cannot be read"


def test_an_input_may_be_a_link_or_lie_right_below_the_root(look: Look, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    (tmp_path / "link").symlink_to("x")
    assert digest(look, tmp_path / "link").state.digest == Digest.of(b"x")
    seen: ObservedInput = (
        digest(look, Path("/etc/hostname"))
        if Path("/etc/hostname").is_file()
        else digest(look, tmp_path / "x")
    )
    assert seen.state.kind == "file"
