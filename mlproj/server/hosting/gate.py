"""Lets in what calls this server by its own name, and pages of other servers only where they are named.

A page anywhere can have a browser send requests to this machine. Its own origin tells it, and where a name of
its server's was made to stand for this machine's address, the name does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase

from mlproj.server.access import LOOPBACK, Application, Message, Receive, Refusal, Scope, Send, host_name
from mlproj.server.failures import DENIED, Failure
from mlproj.server.hosting.rules import ANY, Rules

_WRONG_HOST = "Invalid Host header - possible DNS rebinding attack detected"
_FOREIGN = "Cross-origin request blocked"


class Gate:
    """Refuses a request whose Host or Origin is none of those allowed, and says of answers what browsers may
    do with them. `own` is the name or address that the server was told to listen at."""

    def __init__(self, inner: Application, rules: Rules, own: str) -> None:
        self._inner = inner
        self._hosts = rules.hosts
        self._origins = rules.origins or ()
        self._own = own.lower()
        # No cache on the way keeps what is for one caller, whatever let them in.
        self._headers = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
        if rules.frame is not None:
            self._headers.append((b"x-frame-options", rules.frame.encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {name for name, _ in message["headers"]}
                added = [header for header in self._headers if header[0] not in told]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refused = self._refused(scope)
        inner = self._inner if refused is None else Refusal(refused)
        await inner(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> Failure | None:
        host, origin = b"", None
        for name, value in scope["headers"]:
            if name == b"host":
                if host:
                    # Whoever goes by the other one would go by what nobody looked at.
                    return Failure(DENIED, _WRONG_HOST)
                host = value
            elif name == b"origin":
                origin = value
        if not self._is_own_host(host):
            return Failure(DENIED, _WRONG_HOST)
        if origin is not None and not self._is_welcome(origin, host, scope["scheme"]):
            return Failure(DENIED, _FOREIGN)
        return None

    def _is_own_host(self, value: bytes) -> bool:
        name = host_name(value)
        if name is None:
            return False
        if self._hosts is None:
            return name in LOOPBACK or name == self._own or _is_near(name)
        return matches(self._hosts, value.decode("ascii").lower(), name)

    def _is_welcome(self, value: bytes, host: bytes, scheme: str) -> bool:
        """Pages of the caller's own machine are those of ours only where it is called by that name: whatever
        runs there, all that a browser keeps for this server would be at its disposal."""
        told, _, rest = value.partition(b"://")
        name = host_name(rest) if told in (b"http", b"https") else None
        if name is None:
            return False
        whole = value.decode("ascii").lower()
        if matches(self._origins, whole):
            return True
        if name in LOOPBACK:
            return host_name(host) in LOOPBACK
        # Anybody between can make a page of our name that is not encrypted.
        return rest.lower() == host.lower() and not (scheme == "https" and told == b"http")


def matches(patterns: Sequence[str], *names: str) -> bool:
    """Whether one of the names is what one of the patterns says."""
    return any(
        pattern == ANY or fnmatchcase(name, _literal(pattern.lower()))
        for pattern in patterns
        for name in names
    )


def _literal(pattern: str) -> str:
    """An address of IPv6 has brackets, which are none of a pattern's."""
    return pattern.replace("[", "[[]")


def _is_near(name: str) -> bool:
    """Whether it is an address of a private network: no name of somebody else's can be one."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback
