"""Containers that somebody watches over are told from those that were left."""

from __future__ import annotations

from pathlib import Path

from mlproj.execution.watches import is_watched, left, watching


def test_a_file_is_watched_as_long_as_its_runner_lives(tmp_path: Path) -> None:
    folder = tmp_path / "watches"
    assert left(folder) == ()
    with watching(folder, "run") as place:
        assert is_watched(place) and left(folder) == ()
    assert not place.exists() and not is_watched(place) and list(folder.iterdir()) == []


def test_one_that_nobody_holds_was_left(tmp_path: Path) -> None:
    (tmp_path / "killed").touch()
    (tmp_path / ".being made").touch()
    with watching(tmp_path, "alive"):
        assert left(tmp_path) == (tmp_path / "killed",)
