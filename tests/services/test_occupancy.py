"""An environment is in use for as long as anybody goes on who was given its lock."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mlproj.files import locked_now
from mlproj.services.occupancy import in_use
from mlproj.settings import use_lock
from tests.conftest import ending


def is_free(cache: Path) -> bool:
    with locked_now(use_lock(cache, "key")) as free:
        return free


def test_many_use_an_environment_at_once_and_a_child_goes_on_using_it(tmp_path: Path) -> None:
    with in_use(tmp_path, "key"), in_use(tmp_path, "key") as descriptors:
        child = subprocess.Popen(("sleep", "60"), pass_fds=descriptors)
        assert not is_free(tmp_path)
    with ending(child):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_without_a_key_or_a_cache_that_can_be_written_nothing_is_held(tmp_path: Path) -> None:
    with in_use(tmp_path, None) as descriptors:
        assert descriptors == () and not (tmp_path / "environments").exists()
    (tmp_path / "file").touch()
    with in_use(tmp_path / "file", "key") as descriptors:
        assert descriptors == ()
