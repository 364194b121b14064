"""Who may do what: a run's token in the path, its own host name, and no page of another origin.

The token is part of the path because a user name or password that a person has set for MLflow would displace
one in a header, and because one in a variable would follow the script to other servers.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mlproj.model.redaction import ENDPOINT
from mlproj.server.failures import DENIED, UNKNOWN_CALLER, Failure, encoded

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

GRANT = "mlproj.grant"
"""Where a request's scope holds what its caller may do."""

PREFIX = "mlproj.prefix"
"""Where a request's scope holds what came before its path: what tells who the caller is."""

USERS = "mlproj.users"
"""Where it holds the users of the server's store."""

VIEW = "mlproj.view"
"""Where it holds what makes of the ports those by which its caller sees no more than they may."""

LINK = "mlproj.link"
"""Where it holds what makes of a method and a path one by which that request is let in without more."""
ROOT = "mlproj.root"
"""Where a request's scope holds what a proxy in front of this server has paths begin with."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_ENDPOINT = re.compile(ENDPOINT.pattern.encode())
_TOKEN = re.compile(r"/t/(?P<token>[^/]*)(?P<rest>/.*)?", re.DOTALL)


class Grant:
    """Whose things are a caller's own: everything, or one run and whatever that run's script made.

    `owns` tells of a run that was not made with this grant whether it is the run's nevertheless. A `movable`
    run follows the experiment that its script names, where no hook does that in the script; with False it
    stays where a person put it, and the script is led there; with None nothing is made of it. `secrets` are
    what nothing that is kept may hold.
    """

    def __init__(
        self,
        run_id: str | None = None,
        owns: Callable[[str], bool] | None = None,
        *,
        movable: bool | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.run_id = run_id
        self.movable = movable
        """None once a hook tells of itself, or the run is first written to."""
        self._owns = owns
        self._own = {("run", run_id or "")}
        self._secrets = tuple(secret.encode() for secret in secrets if secret)

    @property
    def limited(self) -> bool:
        return self.run_id is not None

    def cleaned(self, content: bytes) -> bytes:
        """The content without the secrets, and without what stands in the address of a run's endpoint; as
        long as it was, since in some encodings lengths stand before."""
        if not self._secrets:
            return content
        for secret in self._secrets:
            content = content.replace(secret, b"*" * len(secret))
        return _ENDPOINT.sub(lambda found: found["place"] + b"*" * len(found["token"]), content)

    def made(self, kind: str, name: str) -> None:
        """Notes that the caller made this."""
        if self.limited:
            self._own.add((kind, name))

    def has(self, kind: str, name: str) -> bool:
        """Whether this is the caller's own."""
        if not self.limited or (kind, name) in self._own:
            return True
        if kind != "run" or self._owns is None or not self._owns(name):
            return False
        self._own.add((kind, name))
        return True


class Guard:
    """Lets requests through to `inner` that come from where they may, with the token taken out of their path.

    Without a token every caller may do everything: for a server that a person starts on the own machine.
    """

    def __init__(
        self, inner: Application, grant: Grant, *, token: str | None, hosts: Iterable[str] = LOOPBACK
    ) -> None:
        self._inner = inner
        self._grant = grant
        self._token = token
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope = self._admitted(scope)
            except Failure as failure:
                await Refusal(failure)(scope, receive, send)
                return
        await self._inner(scope, receive, send)

    def _admitted(self, scope: Scope) -> Scope:
        for name, value in scope["headers"]:
            if name == b"host" and host_name(value) not in self._hosts:
                raise Failure(DENIED, "Invalid Host header: this server answers to its own address only")
            if name == b"origin" and not self._own_origin(value):
                raise Failure(DENIED, "Cross-origin request blocked")
        path: str = scope["path"]
        prefix = ""
        if self._token is not None:
            found = _TOKEN.fullmatch(path)
            if found is None or not found["token"]:
                raise Failure(
                    UNKNOWN_CALLER, "this server's address has a token in it, and this request has none"
                )
            if not hmac.compare_digest(found["token"].encode(), self._token.encode()):
                raise Failure(DENIED, "the token of this request is not this run's")
            path = found["rest"] or "/"
            prefix = f"/t/{self._token}"
        told = {"path": path, "raw_path": path.encode(), "root_path": ""}
        return {**scope, **told, GRANT: self._grant, PREFIX: prefix}

    def _own_origin(self, value: bytes) -> bool:
        scheme, _, rest = value.partition(b"://")
        return scheme in (b"http", b"https") and host_name(rest) in self._hosts


class Refusal:
    """Answers every request alike."""

    def __init__(self, failure: Failure, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self._failure = failure
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = encoded(self._failure)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += self._headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def host_name(value: bytes) -> str | None:
    """The name or address in a Host header or behind an origin's scheme, without the port; None for none."""
    try:
        return urlsplit(f"//{value.decode('ascii')}").hostname
    except ValueError:
        return None
