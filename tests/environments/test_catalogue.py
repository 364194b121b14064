"""What is kept in the cache is told, and what goes goes whole, never from under somebody's feet."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlproj.environments.cache import build_once
from mlproj.environments.catalogue import EnvironmentCatalogue, size_of
from mlproj.environments.probing import probe
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.files import inheritable_lock, locked, locked_now
from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.ports import Staying
from mlproj.settings import use_lock
from tests.environments.conftest import lock_and_build, specification

SIX = specification("six==1.16.0")
OLD = time.time() - 1000


def filled(folder: Path) -> Callable[[], None]:
    """What makes a folder that counts as an environment, of the Python here."""

    def fill() -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)
        (folder / "content").write_bytes(b"x" * 1000)

    return fill


def test_a_built_environment_is_described(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    locked_, _ = lock_and_build(VirtualenvEnvironment(cache), SIX, tmp_path)
    [found] = EnvironmentCatalogue(cache).environments()
    assert locked_.python is not None and locked_.lock is not None
    assert (found.key, found.kind, found.python) == (locked_.key, "virtualenv", locked_.python.version)
    assert (found.lock, found.packages) == (locked_.lock.digest, len(locked_.lock.packages))
    assert found.size == size_of(found.path) > 100_000
    assert found.built <= found.used and not found.in_use and found.complaint is None
    (found.path / "bin" / "python").unlink()
    [broken] = EnvironmentCatalogue(cache).environments()
    assert broken.complaint is not None


@pytest.mark.parametrize(
    ("told", "kind"), [("pyvenv.cfg", "virtualenv"), ("conda-meta/history", "conda"), ("other", "unknown")]
)
def test_one_that_was_built_before_kinds_were_noted_is_told_by_what_lies_in_it(
    tmp_path: Path, told: str, kind: str
) -> None:
    folder = tmp_path / "environments" / "0123"
    build_once(folder, filled(folder), silent)
    (folder / told).parent.mkdir(exist_ok=True)
    (folder / told).touch()
    (folder / "lib" / "python3.11").mkdir(parents=True)
    [found] = EnvironmentCatalogue(tmp_path).environments()
    assert (found.kind, found.python, found.lock) == (kind, "3.11", None)


def test_one_that_is_in_use_or_being_built_is_not_removed(tmp_path: Path) -> None:
    folder, catalogue = tmp_path / "environments" / "0123", EnvironmentCatalogue(tmp_path)
    build_once(folder, filled(folder), silent)
    for lock, shared in ((use_lock(tmp_path, "0123"), True), (folder.with_name("0123.lock"), False)):
        with locked(lock, shared=shared):
            assert not catalogue.remove("0123")
            assert (folder / "content").exists()
    with locked(use_lock(tmp_path, "0123"), shared=True):
        assert catalogue.environments()[0].in_use
    assert catalogue.remove("0123")
    assert list(folder.parent.iterdir()) == []


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_taken_on_the_new_one(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[str]()

    def wait() -> None:
        with locked(path):
            order.append("waited")
            with inheritable_lock(path) as descriptor:
                order.append("free" if descriptor is not None else "held")

    waiting = threading.Thread(target=wait)
    with locked(path):
        waiting.start()
        time.sleep(0.1)
        path.unlink()
        order.append("removed")
    waiting.join()
    assert order == ["removed", "waited", "held"]
    with locked_now(path) as free:
        assert free


def test_environments_that_are_removed_while_others_build_and_use_them_are_whole_for_each_user(
    tmp_path: Path,
) -> None:
    folder, catalogue = tmp_path / "environments" / "0123", EnvironmentCatalogue(tmp_path)
    stop, faults = threading.Event(), list[str]()

    def use() -> None:
        while not stop.is_set():
            with locked(use_lock(tmp_path, "0123"), shared=True):
                build_once(folder, filled(folder), silent)
                for _ in range(5):
                    if not (folder / "content").exists():
                        faults.append("removed while in use")
            time.sleep(0.01)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    end, removed = time.monotonic() + 2, 0
    while time.monotonic() < end:
        removed += catalogue.remove("0123") and 1
    stop.set()
    for user in users:
        user.join()
    assert not faults and removed


def test_what_was_cut_short_and_what_nobody_holds_is_left_over(tmp_path: Path) -> None:
    environments, catalogue = tmp_path / "environments", EnvironmentCatalogue(tmp_path)
    whole, half, building = (environments / name for name in ("whole", "half", "building"))
    build_once(whole, filled(whole), silent)
    filled(half)()
    filled(building)()
    (environments / "gone.use").touch()
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "held").touch()
    (tmp_path / "claims" / "free").touch()
    with locked(environments / "building.lock"), locked(tmp_path / "claims" / "held", shared=True):
        found = {item.path.name: item for item in catalogue.leftovers(Staying())}
        assert {name: item.kind for name, item in found.items()} == {
            "half": "unfinished build",
            "gone.use": "lock file",
            "free": "lock file",
        }
        assert found["half"].size > 1000
        assert all(catalogue.clear(item) for item in found.values())
        assert catalogue.leftovers(Staying()) == ()
    assert {path.name for path in environments.iterdir()} == {
        "whole",
        "whole.lock",
        "building",
        "building.lock",
    }


def test_locks_and_caches_stay_as_long_as_they_are_wanted(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    locked_, _ = lock_and_build(VirtualenvEnvironment(cache), SIX, tmp_path)
    assert locked_.lock is not None
    catalogue, (kept,) = EnvironmentCatalogue(cache), (cache / "locks").glob("*.json")
    stat_cache = cache / f"snapshot-{'0' * 32}"
    stat_cache.write_bytes(b"mlproj stat cache 2\n")
    (skeleton,) = (cache / "skeletons").iterdir()
    for path in (kept, stat_cache, skeleton):
        os.utime(path, (OLD, OLD))

    def kinds(staying: Staying) -> set[str]:
        return {item.kind for item in catalogue.leftovers(staying)} - {"lock file"}

    before, digest = OLD + 10, frozenset({locked_.lock.digest})
    assert kinds(Staying()) == set()
    assert kinds(Staying(locks_since=before, locks=digest)) == set()
    assert kinds(Staying(locks_since=before, locks=frozenset({Digest.of(b"")}))) == {"lock"}
    assert kinds(Staying(caches_since=before)) == {"skeleton", "stat cache"}
    lock_and_build(VirtualenvEnvironment(cache), SIX, tmp_path)
    assert kinds(Staying(locks_since=before)) == set(), "it was wanted again"


def test_what_holds_for_a_python_that_is_gone_is_left_over(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    assert probe(python, tmp_path) is not None
    catalogue = EnvironmentCatalogue(tmp_path)
    assert catalogue.leftovers(Staying()) == ()
    python.unlink()
    [left] = catalogue.leftovers(Staying())
    assert left.kind == "interpreter" and catalogue.clear(left)
