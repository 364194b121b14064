"""Which environment a model is served in: the one its files ask for, or that of the run which made it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlproj.errors import DataError, EnvironmentFailed
from mlproj.model.environment import (
    Activation,
    CondaSpec,
    DockerSpec,
    EnvironmentSpec,
    LockedEnvironment,
    RecordedLock,
    SystemSpec,
    VirtualenvSpec,
)
from mlproj.model.events import Ended, Report, Started
from mlproj.model.run import EnvironmentState, Run
from mlproj.ports import Environment, Resolving
from mlproj.process import patched
from mlproj.services.found_models import FoundModel, ModelSearch
from mlproj.services.occupancy import in_use
from mlproj.spec import environment_for, read_project
from mlproj.store_ports import RunStore

_LOCAL = "`--env-manager local` has it in the current environment"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An environment for a model: `recorded` is the lock of the run that made it, where that counts."""

    specification: EnvironmentSpec
    recorded: RecordedLock | None = None


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that is built, and held: its Python, the variables of programs in it, and descriptors
    that hold it for a program that is given them."""

    locked: LockedEnvironment
    python: Path
    environ: dict[str, str]
    descriptors: tuple[int, ...] = ()


def wanted(found: FoundModel, search: ModelSearch) -> Wanted:
    """Raises UsageError, SpecError, DataError and EnvironmentFailed."""
    manager = search.request.environment_manager
    is_ours = found.description is None and found.run is not None and found.run.job is not None
    if manager is None and is_ours and search.store is not None:
        assert found.run is not None
        return _of_run(found.run, search.store)
    project = read_project(found.folder)
    specification = environment_for(project, found.folder, manager)
    if isinstance(specification, DockerSpec):
        raise EnvironmentFailed("a model is not served in its project's container", hint=_LOCAL)
    because = specification.because.removeprefix("the project names no environment, and its folder holds ")
    if found.description is not None and because != specification.because:
        specification = replace(specification, because=f"{because} of the model")
    return Wanted(specification=specification)


def locked(wanted: Wanted, found: FoundModel, search: ModelSearch) -> tuple[Environment, LockedEnvironment]:
    """Decides its content. Raises EnvironmentFailed."""
    environment = search.tools.environments(wanted.specification)
    resolving = Resolving(
        refresh=search.request.refresh, as_of=search.request.as_of, recorded=wanted.recorded
    )
    search.report(Started(stage="lock", detail=wanted.specification.because))
    decided = environment.lock(wanted.specification, found.folder, search.report, resolving)
    search.report(Ended(stage="lock"))
    return environment, decided


@contextlib.contextmanager
def entered(found: FoundModel, search: ModelSearch) -> Iterator[Entered]:
    """The model's environment, built and held for the length of the `with`. Raises EnvironmentFailed."""
    environment, decided = locked(wanted(found, search), found, search)
    with in_use(search.tools.cache, decided.key) as descriptors:
        activation = _built(environment, decided, found.folder, search.report)
        environ = search.request.environ
        path = os.pathsep.join([*map(str, activation.path), environ.get("PATH", os.defpath)])
        inner = patched(environ, {**dict(activation.variables), "PATH": path})
        python = shutil.which("python", path=path) or shutil.which("python3", path=path)
        if python is None:
            raise EnvironmentFailed("there is no Python in the environment of the model")
        yield Entered(locked=decided, python=Path(python), environ=inner, descriptors=descriptors)


def _built(environment: Environment, decided: LockedEnvironment, folder: Path, report: Report) -> Activation:
    report(Started(stage="build", detail=decided.because))
    activation = environment.build(decided, folder, report)
    report(Ended(stage="build"))
    return activation


def _of_run(run: Run, store: RunStore) -> Wanted:
    assert run.job is not None
    state, because = run.job.environment, f"run `{run.name}`, which made the model, ran in it"
    if state.kind == "virtualenv":
        return Wanted(
            specification=VirtualenvSpec(python=None, because=because), recorded=_lock(state, run, store)
        )
    if state.kind == "conda":
        return Wanted(
            specification=CondaSpec(file="conda.yaml", because=because), recorded=_lock(state, run, store)
        )
    if state.kind == "system":
        return Wanted(specification=SystemSpec(because="the run that made the model was in no other"))
    raise EnvironmentFailed(
        f"run `{run.name}`, which made the model, was in a container, in which no model is served",
        hint=_LOCAL,
    )


def _lock(state: EnvironmentState, run: Run, store: RunStore) -> RecordedLock:
    if state.lock_file is None or state.lock_file not in store.blobs:
        raise DataError(
            f"the store does not hold the lock of run `{run.name}`, which made the model", hint=_LOCAL
        )
    return RecordedLock(
        format=state.lock_format or "",
        text=store.blobs.path(state.lock_file).read_bytes(),
        python=state.python,
        because=f"the lock of run `{run.run_id}`",
    )
