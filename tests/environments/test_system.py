"""The caller's own environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlproj.environments import pyenv
from mlproj.environments.probing import probe
from mlproj.environments.system import SystemEnvironment
from mlproj.model.environment import LockedEnvironment, SystemSpec
from mlproj.ports import Resolving
from mlproj.spec.locks import packages_in
from tests.environments.conftest import Recorder


def locked_in(project: Path, cache: Path, environ: dict[str, str]) -> LockedEnvironment:
    environment = SystemEnvironment(cache, environ)
    return environment.lock(SystemSpec(because="asked"), project, Recorder(), Resolving())


def test_the_python_on_the_path_is_described_with_what_is_installed(tmp_path: Path) -> None:
    locked = locked_in(tmp_path, tmp_path / "cache", {"PATH": str(Path(sys.executable).parent)})
    assert locked.python is not None and locked.lock is not None
    assert locked.python.version == ".".join(map(str, sys.version_info[:3]))
    versions = {package.name: package.version for package in locked.lock.packages}
    assert versions["pytest"] == pytest.__version__
    assert locked.lock.format == "installed" and locked.key is None


def test_without_a_python_there_is_an_empty_lock(tmp_path: Path) -> None:
    locked = locked_in(tmp_path, tmp_path / "cache", {"PATH": str(tmp_path)})
    assert locked.python is None
    assert locked.lock is not None and locked.lock.packages == ()


def test_a_python_that_changed_is_asked_again(tmp_path: Path) -> None:
    program, cache = tmp_path / "python", tmp_path / "cache"
    answer = '#!/bin/sh\nprintf "%s\\n" {} cpython /base /self ""\n'
    program.write_text(answer.format("3.1.4"))
    program.chmod(0o755)
    first = probe(program, cache)
    assert first is not None and first.version == "3.1.4"
    program.write_text(answer.format("3.1.5") + "# longer\n")
    second = probe(program, cache)
    assert second is not None and second.version == "3.1.5"


def test_what_is_no_python_is_passed_over(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    assert probe(program, tmp_path / "cache") is None
    assert probe(tmp_path / "nothing", tmp_path / "cache") is None


def test_a_second_look_starts_no_python(tmp_path: Path) -> None:
    program, started = tmp_path / "python", tmp_path / "started"
    program.write_text(f'#!/bin/sh\necho x >> {started}\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    environ = {"PATH": os.pathsep.join((str(tmp_path), os.environ["PATH"]))}
    first = locked_in(tmp_path, tmp_path / "cache", environ)
    times = started.read_text()
    assert times and locked_in(tmp_path, tmp_path / "cache", environ) == first
    assert started.read_text() == times


@pytest.fixture
def pythons(tmp_path: Path) -> dict[str, str]:
    """Variables for a folder laid out as pyenv's, with a shim on the PATH and three Pythons."""
    root = tmp_path / "pyenv"
    for version in ("3.9.2", "3.10.1", "3.10.11"):
        folder = root / "versions" / version / "bin"
        folder.mkdir(parents=True)
        (folder / "python").write_text(
            f'#!/bin/sh\nprintf "%s\\n" {version} cpython {folder}/python {folder}/python ""\n'
        )
        (folder / "python").chmod(0o755)
    shims = root / "shims"
    shims.mkdir()
    (shims / "python").write_text('#!/usr/bin/env bash\nexec pyenv exec "$0" "$@"\n')
    (shims / "python").chmod(0o755)
    return {"PYENV_ROOT": str(root), "PATH": f"{shims}{os.pathsep}/usr/bin"}


def test_pythons_of_pyenv_are_listed_the_newest_first(pythons: dict[str, str]) -> None:
    assert [version for version, _ in pyenv.versions(pythons)] == ["3.10.11", "3.10.1", "3.9.2"]


@pytest.mark.parametrize(
    ("variable", "file", "chosen"),
    [
        (None, "3.10.1\n", "3.10.1"),
        (None, "# first\n3.7.0\n3.9.2\n", "3.9.2"),
        (None, "3.10\n", "3.10.11"),
        ("3.9.2", "3.10.1\n", "3.9.2"),
        ("2.6.1:3.10.1", "", "3.10.1"),
    ],
)
def test_a_shim_is_resolved_as_pyenv_does(
    pythons: dict[str, str], tmp_path: Path, variable: str | None, file: str, chosen: str
) -> None:
    project = tmp_path / "project" / "inner"
    project.mkdir(parents=True)
    (project.parent / ".python-version").write_text(file)
    environ = {**pythons, **({"PYENV_VERSION": variable} if variable else {})}
    locked = locked_in(project, tmp_path / "cache", environ)
    assert locked.python is not None
    assert locked.python.version == chosen
    assert locked.python.executable == Path(pythons["PYENV_ROOT"]) / "versions" / chosen / "bin" / "python"


def test_a_pipe_in_the_place_of_a_choice_of_python_is_not_waited_for(
    pythons: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    os.mkfifo(project / ".python-version")
    (tmp_path / ".python-version").write_text("3.9.2\n")
    locked = locked_in(project, tmp_path / "cache", pythons)
    assert locked.python is not None and locked.python.version == "3.9.2"


def test_the_lock_lists_what_is_installed(tmp_path: Path) -> None:
    locked = locked_in(tmp_path, tmp_path / "cache", {"PATH": str(Path(sys.executable).parent)})
    assert locked.lock is not None and "pytest" in {package.name for package in locked.lock.packages}
    assert packages_in(locked.lock.text, locked.lock.format) == locked.lock.packages
