"""Hands on what a script logs that cannot call its server itself: in an isolated network or a container."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from functools import partial
from typing import IO, Any
from urllib.parse import quote

from mlproj.errors import StoreError
from mlproj.remote.connection import Connection

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_IN_MEMORY = 1 << 20
_OF_ONE_HOP = frozenset(
    (b"host", b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"te", b"upgrade")
)
_AUTHORITY = frozenset((b"authorization", b"origin", b"accept-encoding"))
"""The token in the address is what lets a script in; and what is packed for it nobody here unpacks."""
_GONE = b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "the store of this run cannot be reached"}'


class Relay:
    """The ASGI application that asks whatever it is asked of the server at `base`, below the path there."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            await _gather(receive, body)
            try:
                ask = partial(self._connection.raw, *self._asked(scope), body)
                status, headers, pieces = await loop.run_in_executor(None, ask)
            except StoreError:
                await _answer(send, 503, [(b"content-type", b"application/json")], iter((_GONE,)))
                return
            told = [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in headers
                if name.lower().encode() not in _OF_ONE_HOP - {b"content-length"}
            ]
            await _answer(send, status, told, pieces)

    def _asked(self, scope: Scope) -> tuple[str, str, dict[str, str]]:
        query = scope["query_string"].decode("latin-1")
        path = f"{self._prefix}{quote(scope['path'])}" + (f"?{query}" if query else "")
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name not in _OF_ONE_HOP | _AUTHORITY
        }
        return scope["method"], path, headers


async def _gather(receive: Receive, body: IO[bytes]) -> None:
    while True:
        message = await receive()
        body.write(message.get("body", b""))
        if not message.get("more_body", False):
            body.seek(0)
            return


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], pieces: Iterator[bytes]
) -> None:
    loop = asyncio.get_running_loop()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    while piece := await loop.run_in_executor(None, next, pieces, b""):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
