"""What every kind of environment does, whichever it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlproj.environments.catalogue import EnvironmentCatalogue
from mlproj.environments.conda.environment import CondaEnvironment
from mlproj.environments.docker import DockerEnvironment
from mlproj.environments.system import SystemEnvironment
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.model.environment import (
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    LockedEnvironment,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Event
from mlproj.ports import Environment, Resolving
from tests.conda_channels import forge
from tests.engines import BUSYBOX, busybox, client
from tests.environments.conftest import python_in

__all__ = ["busybox", "client"]


def silent(event: Event) -> None:
    pass


Specify = Callable[[pytest.TempPathFactory], EnvironmentSpec]
KINDS: dict[str, tuple[Callable[[Path], Environment], Specify]] = {
    "system": (SystemEnvironment, lambda _: SystemSpec(because="asked for")),
    "virtualenv": (
        VirtualenvEnvironment,
        lambda _: VirtualenvSpec(python=None, dependencies=("six==1.16.0",), because="asked for"),
    ),
    "conda": (
        CondaEnvironment,
        lambda factory: CondaSpec(
            file="conda.yaml",
            channels=(forge(factory).as_uri(), "nodefaults"),
            dependencies=("python", "greeting"),
            pip=("six==1.16.0",),
            because="asked for",
        ),
    ),
    "docker": (DockerEnvironment, lambda _: DockerSpec(image=BUSYBOX, because="asked for")),
}
PYTHONS = ("system", "virtualenv", "conda")
"""Those that know which Python and which packages are in them: of an image only the whole is known."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "docker":
        request.getfixturevalue("busybox")
    return str(request.param)


@pytest.fixture
def environment(kind: str, cache: Path) -> Environment:
    return KINDS[kind][0](cache)


@pytest.fixture
def specification(kind: str, tmp_path_factory: pytest.TempPathFactory) -> EnvironmentSpec:
    return KINDS[kind][1](tmp_path_factory)


@pytest.fixture
def locked(environment: Environment, specification: EnvironmentSpec, tmp_path: Path) -> LockedEnvironment:
    return environment.lock(specification, tmp_path, silent, Resolving())


def test_a_locked_environment_is_complete(locked: LockedEnvironment, kind: str) -> None:
    assert locked.kind == kind
    assert locked.lock is not None and locked.lock.packages
    if kind in PYTHONS:
        assert locked.python is not None
        assert locked.python.executable.is_absolute()
    assert locked.platform.startswith(sys.platform)
    assert "asked for" in locked.because


def test_locking_again_is_the_same_lock(
    environment: Environment, locked: LockedEnvironment, specification: EnvironmentSpec, tmp_path: Path
) -> None:
    for resolve in (True, False):
        again = environment.lock(specification, tmp_path, silent, Resolving(resolve=resolve))
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
    assert locked.python is not None and locked.python.executable.exists()
    assert all(folder.is_absolute() and folder.is_dir() for folder in activation.path)
    assert (
        python_in(activation, "import sys; print('%d.%d.%d' % sys.version_info[:3])") == locked.python.version
    )


def test_what_is_built_is_listed_as_its_kind_and_goes_when_it_is_removed(
    environment: Environment, locked: LockedEnvironment, kind: str, cache: Path, tmp_path: Path
) -> None:
    environment.build(locked, tmp_path, silent)
    catalogue = EnvironmentCatalogue(cache)
    listed = {item.key: item for item in catalogue.environments()}
    assert (locked.key in listed) == (kind != "system")
    if locked.key is not None and locked.lock is not None:
        assert (listed[locked.key].kind, listed[locked.key].lock) == (kind, locked.lock.digest)
        assert catalogue.remove(locked.key)
        environment.build(locked, tmp_path, silent)
        assert locked.key in {item.key for item in catalogue.environments()}


def test_the_project_stays_as_it_is(
    environment: Environment, locked: LockedEnvironment, tmp_path: Path
) -> None:
    environment.build(locked, tmp_path, silent)
    assert list(tmp_path.iterdir()) == []
