"""How a container gets at a port of this machine, which depends on its network and on the engine."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Any

from docker import APIClient
from docker.errors import APIError

from mlproj.model.environment import Reach

_LOOPBACK = "127.0.0.1"
_DESKTOP = "host.docker.internal"
_ELSEWHERE = ("198.51.100.1", 9)
"""An address that nobody has (RFC 5737): nothing is sent there, only the way to it is asked for."""


def reach(client: APIClient, network: str | None, engine: str) -> Reach | None:
    """Where to listen and what the container calls; None where its network leads nowhere. `engine` is the
    system that the engine says it runs on.

    A port on loopback cannot be reached from a container's own network, one at the gateway of that network
    can. Where the gateway is not ours (rootless engines), it is the machine's address in its own network.
    """
    if network == "none":
        return None
    if network == "host":
        return Reach(address=_LOOPBACK, name=_LOOPBACK)
    if os.uname().sysname == "Darwin" or "Docker Desktop" in engine:
        # It is in a virtual machine, which forwards a name of its own.
        return Reach(address=_LOOPBACK, name=_DESKTOP)
    for address in itertools.chain(_gateways(client, network), _own_address()):
        if _is_ours(address):
            return Reach(address=address, name=address)
    return None


def _gateways(client: APIClient, network: str | None) -> Iterator[str]:
    wanted = (network,) if network and network not in ("default", "bridge") else ("bridge", "podman")
    for name in wanted:
        with contextlib.suppress(APIError):
            found: dict[str, Any] = client.inspect_network(name)
            for entry in (found.get("IPAM") or {}).get("Config") or []:
                gateway = entry.get("Gateway") or _first(entry.get("Subnet") or "")
                if gateway and ":" not in gateway:
                    yield gateway


def _first(subnet: str) -> str | None:
    """A network's first address, which is its gateway where the engine does not say so (the default one)."""
    try:
        return str(next(ipaddress.ip_network(subnet).hosts()))
    except (ValueError, StopIteration):
        return None


def _own_address() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(_ELSEWHERE)
        yield str(probe.getsockname()[0])


def _is_ours(address: str) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((address, 0))
        return True
    return False
