"""pip alone, as on a machine where uv cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from tests.conftest import ProjectMaker
from tests.environments.conftest import (
    Recorder,
    lock,
    lock_and_build,
    need_pyenv_python,
    packages,
    python_in,
    specification,
)


@pytest.fixture(autouse=True)
def downloads(monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> None:
    """What pip, and a `rustc` that it asks for its version, would keep in the home folder."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(shared_cache / "pip"))
    monkeypatch.setenv("RUSTUP_HOME", str(shared_cache / "rustup"))


def test_pip_locks_with_hashes_and_builds_the_same_environment_as_uv(
    shared: VirtualenvEnvironment, shared_cache: Path, make_project: ProjectMaker
) -> None:
    project = make_project(
        {
            "requirements/all.txt": "-c pins.txt\nsix\n-e .\n",
            "requirements/pins.txt": "six==1.16.0\n",
            "setup.py": "import setuptools; setuptools.setup(name='ours', py_modules=['ours'])",
            "ours.py": "word = 'here'",
        },
        git=False,
    )
    # The versions of what is added are fixed, since the two tools may know of new ones at different times.
    pins = ("pip==25.3", "setuptools==80.10.2")
    spec = specification("-r requirements/all.txt", build_dependencies=pins)
    by_pip = VirtualenvEnvironment(shared_cache, with_uv=False)
    locked, activation = lock_and_build(by_pip, spec, project)
    assert python_in(activation, "import six, ours; print(six.__version__, ours.word)") == "1.16.0 here"
    assert locked.lock is not None
    assert [package.name for package in locked.lock.packages if not package.hashes] == ["ours"]
    assert packages(locked)["ours"] == "editable"
    of_uv = lock(shared, spec, project).lock
    assert of_uv is not None and of_uv.digest == locked.lock.digest
    report = Recorder()
    assert lock_and_build(by_pip, spec, project, report)[0] == locked
    assert report.events == []


def test_pip_says_what_it_cannot_resolve(shared_cache: Path, tmp_path: Path) -> None:
    environment = VirtualenvEnvironment(shared_cache, with_uv=False)
    with pytest.raises(EnvironmentFailed, match=r"six==1\.16\.0") as caught:
        lock(environment, specification("six==1.16.0", "six==1.17.0"), tmp_path)
    assert "conflict" in caught.value.message.lower()


def test_a_python_whose_pip_is_too_old_is_told_so(shared_cache: Path, tmp_path: Path) -> None:
    need_pyenv_python("3.6.15")
    environment = VirtualenvEnvironment(shared_cache, with_uv=False)
    with pytest.raises(EnvironmentFailed, match="older than"):
        lock(environment, specification("six", python="3.6.15"), tmp_path)
