"""The stat cache: an unchanged file is not read again, and no change goes unseen."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.events import Event, Progress
from mlproj.provenance import cachefile
from mlproj.provenance.observer import Observer
from mlproj.provenance.reading import fingerprint, fingerprint_of
from mlproj.provenance.statcache import StatCache
from tests.conftest import ProjectMaker
from tests.provenance.conftest import Look, wait_until_old


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `old` and `other` with two files each, which have been left alone for long enough."""
    root = tmp_path_factory.mktemp("aged")
    for folder in ("old", "other"):
        (root / folder).mkdir()
        for name in ("a", "b"):
            (root / folder / name).write_text(name)
    wait_until_old(root)
    return root


@pytest.fixture
def old(aged: Path) -> Path:
    return aged / "old"


PROGRAM = """
import os, sys
from pathlib import Path
from mlproj.model.events import Event, Progress
from mlproj.provenance import cachefile
from mlproj.provenance.observer import Observer

folder, cache, statement = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
opened = []

def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], bytes):
        opened.append(arguments[0])

sys.addaudithook(hook)
observer = Observer(cache, os.environ)
exec(statement)
print(opened.count(b"a") + opened.count(b"b"))
"""


def opens(folder: Path, look: Look, statement: str) -> int:
    """How many of the files `a` and `b` in `folder` a look by another process opens (relative to it)."""
    command = (sys.executable, "-c", PROGRAM, str(folder), str(look.cache), statement)
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


DATA = "observer.data('d', folder, folder, declared=True, report=print)"


def test_an_unchanged_folder_is_not_read_again(old: Path, look: Look) -> None:
    assert opens(old, look, DATA) == 2
    assert opens(old, look, DATA) == 0


def test_an_unchanged_file_is_not_read_again(old: Path, look: Look) -> None:
    program = DATA.replace("'d', folder", "'d', folder / 'a'")
    assert [opens(old, look, program) for _ in range(2)] == [1, 0]


def test_what_was_read_before_an_interrupt_is_not_read_again(
    tmp_path_factory: pytest.TempPathFactory, look: Look
) -> None:
    folder = tmp_path_factory.mktemp("interrupted")
    for number in range(9000):  # more than are under way at once
        (folder / f"{number:04}").write_text(str(number))
    (folder / "last").mkdir()
    wait_until_old(folder)
    told = []

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            told.append(event.done)
            if event.done > 6000:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look.observer.data("d", folder, folder, declared=True, report=interrupt)
    assert told[-1] < 9000
    silently = DATA.replace("report=print", "report=lambda _: None")
    program = PROGRAM.rpartition("print(")[0] + "print(sum(path[:1].isdigit() for path in opened))"
    command = (
        sys.executable,
        "-c",
        program,
        str(folder),
        str(look.cache),
        f"sys.executable = ''; {silently}",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 6000


def test_a_young_file_is_read_again(look: Look, tmp_path: Path) -> None:
    (tmp_path / "young").mkdir()
    (tmp_path / "young" / "a").write_text("1")
    assert [opens(tmp_path / "young", look, DATA) for _ in range(2)] == [1, 1]


def test_a_change_within_the_clocks_grain_is_seen(look: Look, make_project: ProjectMaker) -> None:
    """Same size, same inode, written right after it was read: nothing but the racy rule shows it."""
    root = make_project({"a": "0"})
    for number in range(30):
        (root / "a").write_text(str(number % 10))
        _, snapshot = look(root)
        assert snapshot.files[0].digest == Digest.of(str(number % 10).encode())
        seen = look.observer.data("d", root / "a", root, declared=True, report=print)
        assert seen.state.digest == Digest.of(str(number % 10).encode())


def test_a_change_that_sets_the_time_back_is_seen(aged: Path, look: Look) -> None:
    folder, path = aged / "other", aged / "other" / "b"
    look.observer.data("d", folder, folder, declared=True, report=print)
    before = path.stat()
    path.write_text("B")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    seen = look.observer.data("d", folder, folder, declared=True, report=print)
    assert seen.state.digest == Digest.of(folder_manifest([(b"a", Digest.of(b"a")), (b"b", Digest.of(b"B"))]))


def found(folder: Path, entries: dict[bytes, bytes], *, purpose: str = "data") -> list[bytes | None]:
    """What a cache says of paths in the states that `entries` tells."""
    with StatCache(folder / "cache", folder, purpose=purpose) as cache:
        results = list(cache.find(list(entries), list(entries.values())))
        cache.keep(
            {path: entries[path] + known for path, known in zip(entries, results, strict=True) if known}
        )
        return results


def test_a_file_whose_stat_says_something_else_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    before = fingerprint_of(file.stat())
    with StatCache(tmp_path / "cache", tmp_path, purpose="data") as cache:
        cache.keep({b"x": before + b"d" * 32})
    assert found(tmp_path, {b"x": before}) == [b"d" * 32]
    assert found(tmp_path, {b"x": before}, purpose="file") == [None]
    file.write_text("longer")
    assert found(tmp_path, {b"x": fingerprint_of(file.stat()), b"y": before}) == [None, None]
    assert found(tmp_path, {b"x": before}) == [None], "what was not kept is gone"


def _print(number: int) -> bytes:
    return fingerprint(1, number, 2, 3, 4)


ENTRIES = st.dictionaries(st.binary(min_size=1, max_size=3), st.integers(0, 3), max_size=40)


@settings(max_examples=60, deadline=None)
@given(ENTRIES, ENTRIES, st.integers(1, 5), st.integers(0, 40))
def test_what_was_kept_is_found_and_nothing_else(
    before: dict[bytes, int], after: dict[bytes, int], block: int, cut: int
) -> None:
    """Kept, read again beside a changed folder, interrupted at any place, and read again: as a dict would."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cachefile, "_BLOCK", block)
        place = Path(folder)

        def go_through(files: dict[bytes, int], stop: int) -> list[bytes | None]:
            results: list[bytes | None] = []
            with contextlib.suppress(KeyboardInterrupt), StatCache(place, place, purpose="p") as cache:
                for number, path in enumerate(sorted(files)):
                    if number == stop:
                        raise KeyboardInterrupt
                    results += cache.find([path], [_print(files[path])])
                    cache.keep({path: _print(files[path]) + bytes([files[path]]) * 32})
            return results

        def known(remembered: dict[bytes, int], files: dict[bytes, int]) -> list[bytes | None]:
            return [
                bytes([files[path]]) * 32 if remembered.get(path) == files[path] else None
                for path in sorted(files)
            ]

        assert go_through(before, -1) == [None] * len(before)
        assert go_through(before, -1) == known(before, before)
        written = [path.stat().st_ino for path in place.iterdir()]
        assert go_through(before, -1) == known(before, before)
        assert [path.stat().st_ino for path in place.iterdir()] == written, "nothing new, nothing written"
        assert go_through(after, cut) == known(before, after)[:cut]
        reached = sorted(after)[:cut]
        if cut < len(after):  # it was interrupted: what comes behind is still as it was
            end = reached[-1] if reached else b""
            remembered = {path: number for path, number in before.items() if path > end}
        else:
            remembered = {}
        remembered |= {path: after[path] for path in reached}
        assert go_through(before, -1) == known(remembered, before)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "nonsense"])
def test_a_damaged_cache_is_an_empty_one(old: Path, look: Look, damage: str) -> None:
    assert opens(old, look, DATA) == 2
    [file] = look.cache.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    damaged = {
        "empty": b"",
        "cut": bytes(content[:-5]),
        "flipped": bytes(content),
        "nonsense": b"nonsense" * 20,
    }
    file.write_bytes(damaged[damage])
    assert [opens(old, look, DATA) for _ in range(2)] == [2, 0]


def test_a_cache_that_cannot_be_written_is_done_without(old: Path, look: Look) -> None:
    look.cache.write_text("a file where the folder should be")
    assert [opens(old, look, DATA) for _ in range(2)] == [2, 2]


def _digest_often(folder: Path, cache: Path, wanted: str) -> None:
    for _ in range(20):
        seen = Observer(cache, {}).data("d", folder, folder, declared=True, report=lambda _: None)
        assert seen.state.digest == wanted


def test_processes_at_once_do_no_harm(old: Path, look: Look) -> None:
    wanted = look.observer.data("d", old, old, declared=True, report=print).state.digest
    assert wanted is not None
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_digest_often, args=(old, look.cache, wanted)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
