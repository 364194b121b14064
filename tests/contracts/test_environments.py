"""What every kind of environment does, whichever it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlproj.environments.docker import DockerEnvironment
from mlproj.environments.system import SystemEnvironment
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.model.environment import (
    DockerSpec,
    EnvironmentSpec,
    LockedEnvironment,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Event
from mlproj.ports import Environment, Resolving
from tests.engines import BUSYBOX, busybox, client
from tests.environments.conftest import python_in

__all__ = ["busybox", "client"]


def silent(event: Event) -> None:
    pass


SPECIFICATIONS: dict[str, EnvironmentSpec] = {
    "system": SystemSpec(because="asked for"),
    "virtualenv": VirtualenvSpec(python=None, dependencies=("six==1.16.0",), because="asked for"),
    "docker": DockerSpec(image=BUSYBOX, because="asked for"),
}
KINDS: dict[str, Callable[[Path], Environment]] = {
    "system": SystemEnvironment,
    "virtualenv": VirtualenvEnvironment,
    "docker": DockerEnvironment,
}
PYTHONS = ("system", "virtualenv")
"""Those that know which Python and which packages are in them: of an image only the whole is known."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=sorted(SPECIFICATIONS))
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        request.getfixturevalue("busybox")
    return str(request.param)


@pytest.fixture
def environment(kind: str, cache: Path) -> Environment:
    return KINDS[kind](cache)


@pytest.fixture
def locked(environment: Environment, kind: str, tmp_path: Path) -> LockedEnvironment:
    return environment.lock(SPECIFICATIONS[kind], tmp_path, silent, Resolving())


def test_a_locked_environment_is_complete(locked: LockedEnvironment, kind: str) -> None:
    assert locked.kind == kind
    assert locked.lock is not None and locked.lock.packages
    if kind in PYTHONS:
        assert locked.python is not None
        assert locked.python.executable.is_absolute() and locked.python.executable.exists()
    assert locked.platform.startswith(sys.platform)
    assert "asked for" in locked.because


def test_locking_again_is_the_same_lock(
    environment: Environment, locked: LockedEnvironment, kind: str, tmp_path: Path
) -> None:
    for resolve in (True, False):
        again = environment.lock(SPECIFICATIONS[kind], tmp_path, silent, Resolving(resolve=resolve))
        assert again == locked


@pytest.mark.parametrize("kind", PYTHONS, indirect=True)
def test_packages_are_named_in_one_spelling_each_once_and_sorted(locked: LockedEnvironment) -> None:
    assert locked.lock is not None
    names = [package.name for package in locked.lock.packages]
    assert names == sorted(set(names))
    assert all(name == name.lower() and "_" not in name and "." not in name for name in names)


@pytest.mark.parametrize("kind", PYTHONS, indirect=True)
def test_the_built_environment_runs_the_locked_python(
    environment: Environment, locked: LockedEnvironment, tmp_path: Path
) -> None:
    activation = environment.build(locked, tmp_path, silent)
    assert locked.python is not None
    assert all(folder.is_absolute() and folder.is_dir() for folder in activation.path)
    assert (
        python_in(activation, "import sys; print('%d.%d.%d' % sys.version_info[:3])") == locked.python.version
    )


def test_the_project_stays_as_it_is(
    environment: Environment, locked: LockedEnvironment, tmp_path: Path
) -> None:
    environment.build(locked, tmp_path, silent)
    assert list(tmp_path.iterdir()) == []
