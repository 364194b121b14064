"""pip alone, as on a machine where uv cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Activation, LockedEnvironment
from tests.environments.conftest import (
    Recorder,
    lock,
    lock_and_build,
    need_pyenv_python,
    packages,
    python_in,
    specification,
)

PINS = ("pip==25.3", "setuptools==80.10.2")
"""What is added, at fixed versions: the two tools may know of new ones at different times."""

BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "ours-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        wheel.writestr("ours.pth", __file__.rpartition("/")[0] + "\\n")
        wheel.writestr("ours-0.1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: ours\\nVersion: 0.1\\n")
        wheel.writestr("ours-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("ours-0.1.dist-info/RECORD", "")
    return name

build_wheel = build_editable
"""
"""Builds the editable package without setuptools, which pip would fetch and install each time."""

FILES = {
    "requirements/all of it.txt": "-c pins.txt\nsix\n-e .\n",
    "requirements/pins.txt": "six==1.16.0\n",
    "pyproject.toml": (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "ours"\nversion = "0.1"\n'
    ),
    "backend.py": BACKEND,
    "ours.py": "word = 'here'",
}
SPECIFICATION = specification("-r 'requirements/all of it.txt'", build_dependencies=PINS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A project, and what pip made for it."""

    project: Path
    locked: LockedEnvironment
    activation: Activation


@pytest.fixture(scope="module", autouse=True)
def downloads(shared_cache: Path) -> Iterator[None]:
    """What pip, and a `rustc` that it asks for its version, would keep in the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CACHE_DIR", str(shared_cache / "pip"))
        patch.setenv("RUSTUP_HOME", str(shared_cache / "rustup"))
        # Compiling what is installed takes as long as installing it.
        patch.setenv("PIP_NO_COMPILE", "1")
        yield


@pytest.fixture(scope="module")
def built(shared_cache: Path, downloads: None, tmp_path_factory: pytest.TempPathFactory) -> Built:
    project = tmp_path_factory.mktemp("pip") / "project"
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    by_pip = VirtualenvEnvironment(shared_cache, with_uv=False)
    locked, activation = lock_and_build(by_pip, SPECIFICATION, project)
    return Built(project=project, locked=locked, activation=activation)


def test_pip_builds_what_is_asked_for(built: Built) -> None:
    code = "import six, ours; print(six.__version__, ours.word)"
    assert python_in(built.activation, code) == "1.16.0 here"


def test_pip_locks_with_hashes(built: Built) -> None:
    assert built.locked.lock is not None
    assert [package.name for package in built.locked.lock.packages if not package.hashes] == ["ours"]
    assert packages(built.locked)["ours"] == "editable"


def test_the_lock_is_the_same_as_uvs(shared: VirtualenvEnvironment, built: Built) -> None:
    of_uv = lock(shared, SPECIFICATION, built.project).lock
    assert of_uv is not None and built.locked.lock is not None
    assert of_uv.digest == built.locked.lock.digest


def test_a_second_ask_of_pip_resolves_and_builds_nothing(
    built: Built, shared_cache: Path, report: Recorder
) -> None:
    by_pip = VirtualenvEnvironment(shared_cache, with_uv=False)
    assert lock_and_build(by_pip, SPECIFICATION, built.project, report)[0] == built.locked
    assert report.events == []


def test_pip_says_what_it_cannot_resolve(shared_cache: Path, tmp_path: Path) -> None:
    environment = VirtualenvEnvironment(shared_cache, with_uv=False)
    with pytest.raises(EnvironmentFailed, match="cannot be resolved") as caught:
        lock(environment, specification("six==1.16.0", "six==1.17.0"), tmp_path)
    assert "six==1.16.0" in caught.value.output and "conflict" in caught.value.output.lower()


def test_a_python_whose_pip_is_too_old_is_told_so(shared_cache: Path, tmp_path: Path) -> None:
    need_pyenv_python("3.6.15")
    environment = VirtualenvEnvironment(shared_cache, with_uv=False)
    with pytest.raises(EnvironmentFailed, match="older than"):
        lock(environment, specification("six", python="3.6.15"), tmp_path)
