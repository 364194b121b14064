"""What is noted of a request on its way, by whoever learns it: for the log and the figures."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.callers import CALLER, Caller

_KEY = "mlproj.notes"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")


@dataclass(slots=True, kw_only=True)
class Notes:
    """Not frozen: those who look after each other at a request add what they learn."""

    request_id: str
    address: str | None
    user: str | None = None
    route: str | None = None


def begun(scope: Scope) -> tuple[Scope, Notes]:
    """The scope with new notes in it. A request keeps the id that it came with, if that is one."""
    told = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    request_id = told.decode() if _REQUEST_ID.fullmatch(told) else secrets.token_hex(8)
    client = scope.get("client")
    notes = Notes(request_id=request_id, address=client[0] if client else None)
    return {**scope, _KEY: notes}, notes


def notes_of(scope: Scope) -> Notes:
    notes: Notes = scope[_KEY]
    return notes


class Routed:
    """Notes the route that an application found for a request."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._inner(scope, receive, send)
        finally:
            notes_of(scope).route = getattr(scope.get("route"), "path", None)


class Named:
    """Notes who an entrance found the caller to be."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        if caller is not None:
            notes_of(scope).user = caller.name
        await self._inner(scope, receive, send)
