"""A network for the container of an isolated run, which leads to this machine's gateway and no further."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import NotFound
from msgspec.structs import replace

from mlproj.engine import HOST, LOCK, RUN, engine
from mlproj.execution.watches import watching
from mlproj.model.environment import Container, Reach

NETWORK = "network"
"""The option of `docker run` that says where a container is."""


@contextlib.contextmanager
def enclosed(
    container: Container, run_id: str, watches: Path, environ: Mapping[str, str], *, called: bool
) -> Iterator[Container]:
    """The container as it is alone with us, for the length of the `with`; with nobody at all unless it is to
    have us `called`. Raises EnvironmentFailed.

    Where we are killed, the network goes with the container that was in it.
    """
    if not called:
        yield _within(container, "none", None)
        return
    name = f"mlproj-{run_id}"
    with watching(watches, name) as lock, engine(environ) as client:
        labels = {RUN: run_id, LOCK: str(lock), HOST: os.uname().nodename}
        made = client.create_network(name, driver="bridge", internal=True, labels=labels)["Id"]
        try:
            address = _gateway(client, made)
            yield _within(container, name, None if address is None else Reach(address=address, name=address))
        finally:
            with contextlib.suppress(NotFound):
                client.remove_network(made)


def _within(container: Container, network: str, reach: Reach | None) -> Container:
    others = tuple(argument for argument in container.arguments if argument[0] != NETWORK)
    return replace(container, arguments=(*others, (NETWORK, network)), reach=reach)


def _gateway(client: APIClient, network: str) -> str | None:
    """Its address on this machine; None where the engine has the network elsewhere (in a virtual machine)."""
    found: dict[str, Any] = client.inspect_network(network)
    for entry in (found.get("IPAM") or {}).get("Config") or []:
        address: str = entry.get("Gateway") or ""
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address.partition("/")[0], 0))
            return address.partition("/")[0] or None
    return None
