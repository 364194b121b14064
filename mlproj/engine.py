"""The one door to a container engine: Docker, rootless Docker, or Podman behind Docker's protocol."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from mlproj.errors import EnvironmentFailed

RUN = "mlproj.run"
"""The label of our containers: the run that they belong to."""
LOCK = "mlproj.lock"
"""The file that is locked as long as somebody watches over the container."""
HOST = "mlproj.host"
"""The machine on which that file is."""
SOURCE = "mlproj.source"
"""The label of images that we build: the digest of what they were built from."""

_DEFAULT = "/var/run/docker.sock"
_PATIENCE = 60
_ADDRESSABLE = ("127.0.0.1", "localhost", "::1")
_NO_SPACE = "`docker system prune` removes what no container needs"
_ADDRESS = "such as `unix:///var/run/docker.sock`, or `tcp://127.0.0.1:2375`"
_START = "start it (`systemctl start docker`), or name another engine in `DOCKER_HOST`"
_JOIN = "`sudo usermod -aG docker $USER` and a new login give it; rootless Docker and Podman need none"


@contextlib.contextmanager
def engine(environ: Mapping[str, str], *, timeout: int | None = _PATIENCE) -> Iterator[APIClient]:
    """The engine that `DOCKER_HOST` names, or Docker's current context; else the first socket that is there.

    Raises EnvironmentFailed where there is none, where it may not be used, and in the `with` for whatever
    the engine refuses: one sentence and what to do.
    """
    options = _options(environ)
    where = str(options.get("base_url", f"unix://{_DEFAULT}"))
    _knock(where)
    with contextlib.ExitStack() as stack:
        stack.enter_context(translated(where))
        yield stack.enter_context(contextlib.closing(_client(options, where, timeout)))


def _client(options: dict[str, Any], where: str, timeout: int | None) -> APIClient:
    try:
        return APIClient(**options, timeout=timeout)
    except ValueError as error:  # as what takes addresses apart says that one is none
        raise EnvironmentFailed(f"`DOCKER_HOST` is no address: `{where}` ({error})", hint=_ADDRESS) from error


def is_remote(environ: Mapping[str, str]) -> bool:
    """Whether the engine is on another machine, whose containers cannot see our files."""
    address = urlsplit(str(_options(environ).get("base_url", "")))
    return address.scheme == "ssh" or (
        address.scheme in ("tcp", "http", "https") and address.hostname not in _ADDRESSABLE
    )


def is_rootless(info: Mapping[str, Any]) -> bool:
    """Whether root in a container is the caller outside of it, given what Docker or Podman says of itself."""
    return bool(info.get("Rootless")) or any(
        "rootless" in option for option in info.get("SecurityOptions") or ()
    )


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turns what the engine at `where` refuses into an error that a person can act on."""
    try:
        yield
    except APIError as error:
        raise told(explained(error)) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise _unreachable(where.removeprefix("unix://").removeprefix("http+"), error) from error


def explained(error: APIError) -> str:
    """What the engine said of its failure; the answer that it stood in is done with."""
    if error.response is not None:
        error.response.close()
    return str(error.explanation or error)


def told(explanation: str) -> EnvironmentFailed:
    """The error for something that the engine said of its failure."""
    plain = " ".join(explanation.split())
    if "no space left" in plain.lower():
        return EnvironmentFailed("no space is left for Docker's images and containers", hint=_NO_SPACE)
    return EnvironmentFailed(f"Docker refused: {plain}")


def _options(environ: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = kwargs_from_env(environment=dict(environ))
    if "base_url" in given:
        return given
    with contextlib.suppress(Exception):  # a context's file that cannot be read is as good as none
        given |= ContextAPI.kwargs_from_context(environment=dict(environ))
    chosen = str(given.get("base_url", f"unix://{_DEFAULT}"))
    if chosen.removeprefix("http+").removeprefix("unix://") == _DEFAULT and not os.path.exists(_DEFAULT):
        found = next((path for path in _sockets(environ) if path.is_socket()), None)
        return given if found is None else {"base_url": f"unix://{found}"}
    return given


def _sockets(environ: Mapping[str, str]) -> Iterator[Path]:
    own = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    for name in ("docker.sock", "podman/podman.sock"):
        yield Path(own) / name
    yield Path("/run/podman/podman.sock")


def _knock(where: str) -> None:
    """Raises EnvironmentFailed where nobody opens: here what the system says of a socket is said plainly."""
    _, unix, path = where.removeprefix("http+").rpartition("unix://")
    if not unix:
        return
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
    except OSError as error:
        raise _unreachable(path, error) from error


def _unreachable(where: str, error: Exception) -> EnvironmentFailed:
    numbers = (found.errno for found in _causes(error) if isinstance(found, OSError))
    number = next(filter(None, numbers), None)
    if number in (errno.EACCES, errno.EPERM):
        return EnvironmentFailed(f"you have no permission to use Docker at `{where}`", hint=_JOIN)
    if number == errno.ENOENT:
        return EnvironmentFailed(f"no Docker daemon is running: there is no `{where}`", hint=_START)
    if number == errno.ECONNREFUSED:
        return EnvironmentFailed(f"no Docker daemon is running: nobody listens at `{where}`", hint=_START)
    if isinstance(error, requests.exceptions.Timeout):
        return EnvironmentFailed(f"Docker at `{where}` does not answer", hint="look at the daemon's own log")
    return EnvironmentFailed(f"Docker at `{where}` cannot be used: {error}", hint=_START)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error with all that it came from, also where that is only among its arguments."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [*found.args, found.__cause__, found.__context__]
