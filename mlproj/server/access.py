"""Who may do what: a run's token in the path, its own host name, and no page of another origin.

The token is part of the path because a user name or password that a person has set for MLflow would displace
one in a header, and because one in a variable would follow the script to other servers.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from mlproj.server.failures import DENIED, UNKNOWN_CALLER, Failure, encoded

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

GRANT = "mlproj.grant"
"""Where a request's scope holds what its caller may do."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_TOKEN = re.compile(r"/t/(?P<token>[^/]*)(?P<rest>/.*)?", re.DOTALL)


class Grant:
    """What a caller may write: everything, or one run and whatever that run's script made.

    Another run's things can be read. Experiments, models and traces are the caller's own where it made them;
    the registry is everybody's.
    """

    def __init__(self, run_id: str | None = None, owns: Callable[[str], bool] | None = None) -> None:
        self.run_id = run_id
        self._runs = {run_id}
        self._owns = owns
        self._made: set[tuple[str, str]] = set()

    def write_run(self, run_id: str) -> None:
        """Raises Failure where this run is another's."""
        if self.run_id is None or run_id in self._runs:
            return
        if self._owns is None or not self._owns(run_id):
            raise Failure(DENIED, f"the run `{run_id}` is not of this token's run, and can only be read")
        self._runs.add(run_id)

    def write_experiment(self, experiment_id: str) -> None:
        self._write("experiment", experiment_id)

    def write_model(self, model_id: str, source_run_id: str | None) -> None:
        if source_run_id is None or source_run_id not in self._runs:
            self._write("model", model_id)

    def write_trace(self, trace_id: str) -> None:
        self._write("trace", trace_id)

    def made_run(self, run_id: str) -> None:
        if self.run_id is not None:
            self._runs.add(run_id)

    def made_experiment(self, experiment_id: str) -> None:
        self._made_one("experiment", experiment_id)

    def made_model(self, model_id: str) -> None:
        self._made_one("model", model_id)

    def made_trace(self, trace_id: str) -> None:
        self._made_one("trace", trace_id)

    def _made_one(self, kind: str, name: str) -> None:
        if self.run_id is not None:
            self._made.add((kind, name))

    def _write(self, kind: str, name: str) -> None:
        if self.run_id is not None and (kind, name) not in self._made:
            raise Failure(DENIED, f"the {kind} `{name}` was not made with this token, and can only be read")


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
            if name == b"host" and _host_name(value) not in self._hosts:
                raise Failure(DENIED, "Invalid Host header: this server answers to its own address only")
            if name == b"origin" and not self._own_origin(value):
                raise Failure(DENIED, "Cross-origin request blocked")
        path: str = scope["path"]
        if self._token is not None:
            found = _TOKEN.fullmatch(path)
            if found is None or not found["token"]:
                raise Failure(
                    UNKNOWN_CALLER, "this server's address has a token in it, and this request has none"
                )
            if not hmac.compare_digest(found["token"].encode(), self._token.encode()):
                raise Failure(DENIED, "the token of this request is not this run's")
            path = found["rest"] or "/"
        return {**scope, "path": path, "raw_path": path.encode(), "root_path": "", GRANT: self._grant}

    def _own_origin(self, value: bytes) -> bool:
        scheme, _, rest = value.partition(b"://")
        return scheme in (b"http", b"https") and _host_name(rest) in self._hosts


class Refusal:
    """Answers every request alike."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = encoded(self._failure)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _host_name(value: bytes) -> str | None:
    try:
        return urlsplit(f"//{value.decode('ascii')}").hostname
    except ValueError:
        return None
