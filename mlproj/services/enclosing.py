"""Gives the container of an isolated run the project, its data and mlproj, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from mlproj.errors import UsageError
from mlproj.model.environment import Activation, Confinement, Container, DockerSpec, Isolation
from mlproj.ports import Task
from mlproj.services.visible import is_within

_HARMLESS = frozenset(
    (
        *("cap-drop", "cpu-period", "cpu-quota", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems"),
        *("domainname", "entrypoint", "env", "gpus", "hostname", "init", "label", "memory"),
        *("memory-reservation", "memory-swap", "memory-swappiness", "no-healthcheck", "pids-limit"),
        *("platform", "read-only", "shm-size", "tmpfs", "ulimit", "user", "workdir"),
    )
)
"""Options of `docker run` that show a container nothing of the machine."""
_NETWORK = "network"


def shows_more(names: Iterable[str], *, network: bool) -> str | None:
    """The first of some options of `docker run` that would show a container more of the machine."""
    allowed = _HARMLESS | {_NETWORK} if network else _HARMLESS
    return next((name for name in names if name not in allowed), None)


@contextlib.contextmanager
def alone(
    activation: Activation,
    isolation: Isolation,
    launch: DockerSpec | None,
    note: Callable[[str], None],
    enclose: Callable[[Container], contextlib.AbstractContextManager[Container]],
) -> Iterator[Activation]:
    """The way into the environment as an isolated run has it, for the length of the `with`. `note` hears what
    is left out. Raises UsageError for options that would show a container more of the machine."""
    container = activation.container
    if container is None:
        yield activation
        return
    narrowed = _narrowed(container, isolation, launch, note)
    if isolation.network:
        yield replace(activation, container=narrowed)
        return
    with enclose(narrowed) as enclosed:
        yield replace(activation, container=enclosed)


def contained(task: Task, isolation: Isolation, hidden: tuple[str, ...]) -> Task:
    """The task of a container as it is carried out in isolation; of `hidden` nothing is seen."""
    below = tuple(path for path in hidden if is_within(path, (str(task.directory),)))
    return replace(task, confinement=Confinement(network=isolation.network, hidden=below))


def _narrowed(
    container: Container, isolation: Isolation, launch: DockerSpec | None, note: Callable[[str], None]
) -> Container:
    refused = shows_more((name for name, _ in container.arguments), network=isolation.network)
    if refused is not None:
        raise UsageError(
            f"an isolated run takes no `-A {refused}`, which shows its container more of this machine",
            hint="leave it or `--isolated` out",
        )
    if container.volumes:
        shown = ", ".join(f"`{volume}`" for volume in container.volumes)
        note(f"an isolated run sees no volumes, but its inputs: left out {shown}")
    copied = {name for name, value in (() if launch is None else launch.environment) if value is None}
    kept = tuple(
        (name, value)
        for name, value in container.variables
        if name not in copied or name in isolation.variables
    )
    left = ", ".join(f"`{name}`" for name, value in container.variables if (name, value) not in kept)
    if left:
        note(f"an isolated run has no variables of the caller's but by `--env-file`: left out {left}")
    return replace(container, volumes=(), variables=kept)
