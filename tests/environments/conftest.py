"""A cache that the tests share, so that each environment is built once, and what they ask of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.model.environment import Activation, EnvironmentSpec, LockedEnvironment, VirtualenvSpec
from mlproj.model.events import Event, Note, Started
from mlproj.ports import Environment, Resolving
from tests.conftest import need

Enter = Callable[..., str]


class Recorder:
    """A report that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Note)]

    def began(self, stage: str) -> int:
        return sum(isinstance(event, Started) and event.stage == stage for event in self.events)


def specification(
    *dependencies: str,
    python: str | None = None,
    build_dependencies: tuple[str, ...] = (),
    uv_lock: str | None = None,
    files: tuple[str, ...] = (),
) -> VirtualenvSpec:
    return VirtualenvSpec(
        python=python,
        build_dependencies=build_dependencies,
        dependencies=dependencies,
        uv_lock=uv_lock,
        files=files,
        because="the test wants it",
    )


def lock(
    environment: Environment,
    spec: EnvironmentSpec,
    project: Path,
    report: Recorder | None = None,
    *,
    refresh: bool = False,
    resolve: bool = True,
    as_of: str | None = None,
) -> LockedEnvironment:
    resolving = Resolving(refresh=refresh, resolve=resolve, as_of=as_of)
    return environment.lock(spec, project, report or Recorder(), resolving)


def lock_and_build(
    environment: Environment, spec: EnvironmentSpec, project: Path, report: Recorder | None = None
) -> tuple[LockedEnvironment, Activation]:
    locked = lock(environment, spec, project, report)
    return locked, environment.build(locked, project, report or Recorder())


def python_in(activation: Activation, code: str, environ: Mapping[str, str] = os.environ) -> str:
    """What `python -c code` prints in an activated environment."""
    return run_in(activation, ("python", "-c", code), environ)


def run_in(activation: Activation, command: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> str:
    path = os.pathsep.join((*map(str, activation.path), environ["PATH"]))
    changed = {**environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    for name, value in activation.variables:
        changed.pop(name, None)
        if value is not None:
            changed[name] = value
    # The shell looks the command up on the changed PATH, as it does for an entry point.
    done = subprocess.run(
        ("sh", "-c", '"$@"', "sh", *command), env=changed, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def packages(locked: LockedEnvironment) -> dict[str, str]:
    assert locked.lock is not None
    return {package.name: package.version for package in locked.lock.packages}


def need_pyenv_python(version: str) -> None:
    root = Path(os.environ["PYENV_ROOT"]) / "versions" / version
    need(f"python{version}", (root / "bin" / "python").exists())


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def shared(shared_cache: Path) -> VirtualenvEnvironment:
    return VirtualenvEnvironment(shared_cache)


@pytest.fixture
def report() -> Recorder:
    return Recorder()
