"""Which Python is found for what a project asks for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlproj.environments.interpreters import Interpreters
from mlproj.errors import EnvironmentFailed
from tests.environments.conftest import Recorder

OWN = ".".join(map(str, sys.version_info[:3]))


def found(tmp_path: Path, wanted: str | None, *on_path: str, of_pyenv: tuple[str, ...] = ()) -> str:
    """The version that is found among made-up Pythons on the PATH and under pyenv."""
    for version in on_path:
        _made_up(tmp_path / "bin" / f"python{'.'.join(version.split('.')[:2])}", version)
        _made_up(tmp_path / "bin" / "python3", version)
    for version in of_pyenv:
        _made_up(tmp_path / "pyenv" / "versions" / version / "bin" / "python", version)
    environ = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "pyenv")}
    interpreters = Interpreters(cache=tmp_path / "cache", environ=environ, uv=None)
    return interpreters.find(wanted, tmp_path, Recorder()).version


def test_without_a_wish_it_is_the_python_that_mlproj_runs_on(tmp_path: Path) -> None:
    assert found(tmp_path, None, "3.9.1") == OWN


def test_the_path_comes_before_pyenv_and_there_the_newest_counts(tmp_path: Path) -> None:
    assert found(tmp_path / "a", "3.9", "3.9.1", of_pyenv=("3.9.9",)) == "3.9.1"
    assert found(tmp_path / "b", "3.9", "3.8.1", of_pyenv=("3.9.9", "3.9.10")) == "3.9.10"


def test_an_exact_version_is_that_one(tmp_path: Path) -> None:
    assert found(tmp_path, "3.9.10", "3.9.1", of_pyenv=("3.9.9", "3.9.10")) == "3.9.10"


@pytest.mark.parametrize(
    ("wanted", "version"), [(">=3.7,<3.9", "3.8.1"), ("3.8.*", "3.8.1"), ("~=3.7.0", "3.7.4")]
)
def test_a_range_takes_what_fits(tmp_path: Path, wanted: str, version: str) -> None:
    assert found(tmp_path, wanted, "3.8.1", of_pyenv=("3.7.4",)) == version


def test_a_range_prefers_the_python_that_mlproj_runs_on(tmp_path: Path) -> None:
    assert found(tmp_path, ">=3.9", "3.9.1") == OWN


def test_3_1_is_not_3_10(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"Python 3\.1 is not on this machine"):
        found(tmp_path, "3.1", "3.10.4")


def test_near_ones_are_named_where_the_exact_one_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        found(tmp_path, "3.8.99", of_pyenv=("3.8.1", "3.9.2"))
    assert "there is 3.8.1" in caught.value.message and "3.9.2" not in caught.value.message
    assert "pyenv install 3.8.99" in str(caught.value.hint)


@pytest.mark.parametrize("wanted", ["three", "3.x", "python3.8", ">=", ""])
def test_what_is_no_version_is_told(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(EnvironmentFailed, match="no version of Python"):
        found(tmp_path, wanted)


def test_a_virtualenv_is_not_the_base_of_another(tmp_path: Path) -> None:
    environ = {"PATH": str(Path(sys.executable).parent), "PYENV_ROOT": str(tmp_path)}
    interpreters = Interpreters(cache=tmp_path / "cache", environ=environ, uv=None)
    python = interpreters.find(OWN, tmp_path, Recorder())
    assert python.executable == Path(os.path.realpath(sys.executable))


def _made_up(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" {version} cpython {path} {path} ""\n')
    path.chmod(0o755)
