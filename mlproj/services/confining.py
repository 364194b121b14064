"""Gives the task of an isolated run what its record names, and takes everything else away from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlproj.errors import Refused
from mlproj.model.environment import (
    HOME_IN_ISOLATION,
    Activation,
    Confinement,
    DockerSpec,
    Door,
    Interpreter,
    Isolation,
    Mount,
    Reach,
)
from mlproj.model.source import IS_SECRET
from mlproj.ports import Task
from mlproj.services import hook
from mlproj.services.enclosing import alone as in_enclosure
from mlproj.services.enclosing import contained
from mlproj.services.isolation import advice
from mlproj.services.prepare import Prepared
from mlproj.services.request import RunRequest, Tools
from mlproj.services.visible import SYSTEM, hops, is_within, of_data, of_environment, of_python

__all__ = ["Place", "Surroundings", "advice", "alone", "isolated", "reach", "surroundings"]

_LOOPBACK = "127.0.0.1"
_PASSED = frozenset(
    (
        *("LANG", "LANGUAGE", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"),
        *("USER", "LOGNAME", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"),
        *("PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"),
        *("MLFLOW_EXPERIMENT_ID", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"),
    )
)
"""Variables that a run is given beside those of its plan and its environment: words, not secrets."""
_TO_THE_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_KEPT_BACK = frozenset(
    f"MLPROJ_{name}"
    for name in (
        *("STORE", "CLAIMS", "SECRETS", "SECRET_VARIABLES", "EXECUTABLE", "ENV_MANAGER", "AS_OF"),
        *("PARENT_RUN_ID", "CACHE_DIR", "CONFIG"),
    )
)
"""Of ours: what leads to the store, to mlproj itself or to the runs that this one is in."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is recorded: the store's folder, and in it those that the run writes to: its artifacts, and
    what its Pythons note of the files that they open."""

    root: Path
    artifacts: Path
    reads: Path


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is around an isolated run.

    `root` holds the source that was recorded, the project's folder among it, and `secrets` are paths in it
    that are not to be seen. `inputs` are paths of its data, `planned` the names of the variables that its
    plan sets, and `home` is the caller's home folder.
    """

    isolation: Isolation
    root: Path
    place: Place
    secrets: tuple[str, ...]
    inputs: tuple[str, ...]
    activation: Activation
    python: Interpreter | None
    planned: tuple[str, ...]
    launch: DockerSpec | None
    tracked: bool
    home: Path


def surroundings(
    request: RunRequest, prepared: Prepared, activation: Activation, place: Place
) -> Surroundings:
    """What is around the process of a run that is to be isolated."""
    assert request.isolation is not None
    return Surroundings(
        isolation=request.isolation,
        root=prepared.snapshot.root,
        place=place,
        secrets=tuple(file.path for file in prepared.snapshot.omitted if file.reason == IS_SECRET),
        inputs=prepared.data,
        activation=activation,
        python=prepared.locked.python,
        planned=tuple(name for name, _ in prepared.plan.variables),
        launch=prepared.locked.launch,
        tracked=request.tracking,
        home=Path(request.environ.get("HOME") or "/root"),
    )


def reach(around: Surroundings) -> Reach | None:
    """How the run, which sees nothing of the store, gets at its endpoint; None where there is no way: without
    a Python in there nobody opens our port."""
    if not around.isolation.network and _python(around) is None:
        return None
    return Reach(address=_LOOPBACK, name=_LOOPBACK)


def alone(
    around: Surroundings, tools: Tools, run_id: str, note: Callable[[str], None]
) -> AbstractContextManager[Activation]:
    """The way into the run's environment as it has it, for the length of the `with`; see `enclosing`."""
    return in_enclosure(
        around.activation,
        around.isolation,
        around.launch,
        note,
        lambda container: tools.enclosure(container, run_id, around.tracked),
    )


def isolated(task: Task, around: Surroundings, door: Door | None) -> Task:
    """The task as it is carried out in isolation.

    Raises Refused where the project's folder is too large to be shown.
    """
    _refuse_home(task, around)
    if around.activation.container is not None:
        root = (str(around.root),)
        hidden = tuple(_hidden(around, root))
        return contained(task, around.isolation, hidden)
    mounts = tuple(_mounts(task, around))
    seen = tuple(mount.target for mount in mounts)
    python = _python(around)
    return replace(
        task,
        environ=_variables(task, around, seen),
        descriptors=(),
        mounts=mounts,
        confinement=Confinement(
            network=around.isolation.network,
            hidden=tuple(_hidden(around, seen)),
            door=None if python is None or around.isolation.network else door,
            python=python,
        ),
    )


def _refuse_home(task: Task, around: Surroundings) -> None:
    if is_within(str(around.home), (str(task.directory), os.path.realpath(task.directory))):
        raise Refused(
            f"an isolated run sees its whole project, and `{task.directory}` holds your home folder",
            hint="put the project in a folder of its own",
        )


def _hidden(around: Surroundings, seen: Sequence[str]) -> Iterator[str]:
    """The store, and what of the source was left out of its snapshot as secret, unless it is to be seen."""
    for path in dict.fromkeys((str(around.place.root), os.path.realpath(around.place.root))):
        if is_within(path, seen):
            yield path
    for root in dict.fromkeys((str(around.root), os.path.realpath(around.root))):
        paths = (os.path.join(root, secret) for secret in around.secrets)
        unwanted = (path for path in paths if path not in around.inputs and is_within(path, seen))
        # A link leads to what is not seen anyhow.
        yield from (path for path in unwanted if os.path.exists(path) and not os.path.islink(path))


def _python(around: Surroundings) -> str | None:
    """A Python that is seen in there: the environment's own, else the one that it was found to be."""
    for folder in around.activation.path:
        for name in ("python", "python3"):
            if os.access(folder / name, os.X_OK):
                return str(folder / name)
    return None if around.python is None else str(around.python.executable)


def _mounts(task: Task, around: Surroundings) -> Iterator[Mount]:
    """Each place once; what may be written comes last, for then it counts."""
    folders = (task.directory, os.path.realpath(task.directory), around.place.artifacts, around.place.reads)
    writable = dict.fromkeys(str(folder) for folder in folders if os.path.isdir(folder))
    read = dict.fromkeys(_read(task, around))
    for path in read:
        if path not in writable and not is_within(path, SYSTEM) and os.path.exists(path):
            yield Mount(source=os.path.realpath(path), target=path, read_only=True)
    for path in writable:
        yield Mount(source=path, target=path)


def _read(task: Task, around: Surroundings) -> Iterator[str]:
    project = (str(task.directory), os.path.realpath(task.directory))
    roots = dict.fromkeys((str(around.root), os.path.realpath(around.root)))
    yield from (root for root in roots if is_within(project[0], (root,)) or is_within(project[1], (root,)))
    yield from of_environment(around.activation.path)
    if around.python is not None:
        yield from of_python(around.python.executable)
    for entry in filter(None, task.environ.get("PYTHONPATH", "").split(os.pathsep)):
        yield from hops(os.path.normpath(os.path.join(task.directory, entry)))
    yield str(hook.FOLDER.parent)
    visible = (*project, *roots)
    wanted = (*around.inputs, *around.isolation.readable)
    yield from (path for path in of_data(wanted) if not is_within(path, visible))


def _variables(task: Task, around: Surroundings, seen: Sequence[str]) -> dict[str, str]:
    isolation, activation = around.isolation, around.activation
    named = {*around.planned, *(name for name, _ in activation.variables), *isolation.variables, *_PASSED}
    if isolation.network:
        named |= {name for upper in _TO_THE_NETWORK for name in (upper, upper.lower())}
    kept = {
        name: value
        for name, value in task.environ.items()
        if name in named or name.startswith("LC_") or (name.startswith("MLPROJ_") and name not in _KEPT_BACK)
    }
    return {
        **kept,
        "HOME": HOME_IN_ISOLATION,
        "PATH": _path(task.environ.get("PATH", os.defpath), around, seen),
    }


def _path(path: str, around: Surroundings, seen: Sequence[str]) -> str:
    """The folders of the PATH that are there, with that of the Python which was found before the others."""
    folders = [folder for folder in path.split(os.pathsep) if is_within(folder, (*SYSTEM, *seen))]
    if around.python is not None and not around.activation.path:
        own = str(around.python.executable.parent)
        folders = folders if own in folders else [own, *folders]
    return os.pathsep.join(folders)
