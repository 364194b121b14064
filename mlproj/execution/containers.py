"""The container of a task: what the engine is asked for, and those that a killed runner left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import APIError, NotFound

from mlproj.engine import HOST, LOCK, RUN, engine, explained, told
from mlproj.errors import EnvironmentFailed, ProjectError
from mlproj.execution.watches import is_watched
from mlproj.model.environment import Container
from mlproj.model.events import Note, Report, silent
from mlproj.planning.containers import CODE
from mlproj.ports import Task
from mlproj.spec.docker_arguments import request

_SELINUX = Path("/sys/fs/selinux/enforce")
_NOBODY = "127.0.0.1"
"""Where a container finds no server for names: its own loopback address."""
_INITS = ("docker-init", "container-init", "catatonit")
"""What engines call the first process that they give to containers, where they miss it."""


def described(container: Container, task: Task, lock: Path) -> dict[str, Any]:
    """The request for the container that carries the task out. What `docker run` was to be told comes on top.

    Its first process hands signals on to all others, and takes note of the end of those that nobody waits
    for: by itself a shell would do neither.
    """
    body = request(container.arguments)
    host: dict[str, Any] = body.setdefault("HostConfig", {})
    environ = {**task.environ, "TINI_KILL_PROCESS_GROUP": "1"}
    own = {
        "Image": container.image,
        "Cmd": list(task.argv),
        "User": container.user,
        "WorkingDir": CODE,
        "AttachStdout": True,
        "AttachStderr": True,
    }
    body |= {name: value for name, value in own.items() if name not in body}
    body["Env"] = [f"{name}={value}" for name, value in environ.items()] + body.get("Env", [])
    body["Labels"] = {
        **body.get("Labels", {}),
        RUN: task.environ.get("MLPROJ_RUN_ID", ""),
        LOCK: str(lock),
        HOST: os.uname().nodename,
    }
    host.setdefault("Init", True)
    host["Binds"] = list(container.volumes)
    own_mounts = host.get("Mounts", ())
    taken = {_target(volume) for volume in container.volumes} | {mount["Target"] for mount in own_mounts}
    host["Mounts"] = [*(mount for mount in _mounts(task) if mount["Target"] not in taken), *own_mounts]
    if task.confinement is not None:
        host["CapDrop"], host["SecurityOpt"] = ["ALL"], ["no-new-privileges"]
        if not task.confinement.network:
            # Else the engine would ask the machine's own servers for names.
            host["Dns"], host["DnsOptions"] = [_NOBODY], ["timeout:1", "attempts:1"]
    if _SELINUX.exists():
        # Else nothing of ours could be read in there; giving our files another label would be no better.
        host["SecurityOpt"] = ["label=disable", *host.get("SecurityOpt", ())]
    return body


@contextlib.contextmanager
def created(client: APIClient, body: dict[str, Any]) -> Iterator[str]:
    """A container, for the length of the `with`: it is removed however that ends, and ended if need be.

    Raises ProjectError or EnvironmentFailed.
    """
    platform = body.pop("platform", None)
    try:
        identifier: str = client.create_container_from_config(body, None, platform)["Id"]
    except APIError as error:
        raise _refused(error) from error
    try:
        yield identifier
    finally:
        remove(client, identifier)


def start(client: APIClient, identifier: str) -> None:
    """Starts what was created. Raises ProjectError or EnvironmentFailed where the engine cannot."""
    try:
        client.start(identifier)
    except APIError as error:
        raise _refused(error) from error


def remove(client: APIClient, identifier: str) -> None:
    """Removes a container with the volumes that were made for it alone."""
    try:
        client.remove_container(identifier, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        # Somebody else removes it at this moment.
        if error.status_code != HTTPStatus.CONFLICT:
            raise


def sweep_left(places: Sequence[Path], environ: Mapping[str, str]) -> None:
    """Removes what killed runners left, whose files these are; where no engine answers, another time."""
    with contextlib.suppress(EnvironmentFailed), engine(environ) as client:
        sweep(client, silent)
        for place in places:
            place.unlink(missing_ok=True)


def lacks_init(error: EnvironmentFailed) -> bool:
    """Whether the engine has no first process to give to a container, which goes without it then."""
    return any(name in error.message for name in _INITS)


def sweep(client: APIClient, report: Report) -> None:
    """Removes containers and networks of runs of this machine that nobody watches over any more."""
    labels = [RUN, f"{HOST}={os.uname().nodename}"]
    for found in client.containers(all=True, filters={"label": labels}):
        lock = Path(found["Labels"].get(LOCK, ""))
        if is_watched(lock):
            continue
        with contextlib.suppress(APIError):
            remove(client, found["Id"])
            run = found["Labels"][RUN][:8]
            report(Note(message=f"removed the container of run {run}, whose runner was killed"))
    for found in client.networks(filters={"label": labels}):
        if not is_watched(Path(found["Labels"].get(LOCK, ""))):
            with contextlib.suppress(APIError):
                client.remove_network(found["Id"])


def _mounts(task: Task) -> Iterator[dict[str, Any]]:
    yield {"Type": "bind", "Source": str(task.directory), "Target": CODE}
    for mount in task.mounts:
        yield {
            "Type": "bind",
            "Source": mount.source,
            "Target": mount.target,
            "ReadOnly": mount.read_only,
        }
    for hidden in () if task.confinement is None else task.confinement.hidden:
        target = f"{CODE}/{os.path.relpath(hidden, task.directory)}"
        if os.path.isdir(hidden):
            yield {"Type": "tmpfs", "Target": target}
        else:
            yield {"Type": "bind", "Source": os.devnull, "Target": target, "ReadOnly": True}


def _target(volume: str) -> str:
    """Where a volume is seen: one that is meant for a place of ours takes it, as two cannot have it."""
    first, _, rest = volume.partition(":")
    return rest.partition(":")[0] or first


def no_shell() -> ProjectError:
    return ProjectError(
        "the image has no shell to give the command to",
        hint="build it on one that has `sh`, such as `debian` or `busybox`",
    )


def _refused(error: APIError) -> ProjectError | EnvironmentFailed:
    explanation = explained(error)
    if 'exec: "sh"' in explanation or "exec: sh" in explanation:
        return no_shell()
    if "could not select device driver" in explanation:
        return EnvironmentFailed(
            "Docker cannot give a container a GPU here",
            hint="install the NVIDIA Container Toolkit, or leave out `-A gpus`",
        )
    if "bind source path does not exist" in explanation:
        path = explanation.rpartition(": ")[2]
        return ProjectError(
            f"Docker does not see `{path}`",
            hint="its engine must be on this machine, and may see that folder",
        )
    return told(explanation)
