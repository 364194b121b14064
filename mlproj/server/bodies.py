"""The bodies that are read whole: what all requests hold of them together has a bound, too.

Several large ones at once would fill a machine's memory, each of which may come. Whoever comes when there is
no room is told to try again, which clients of ours and of MLflow's do.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from mlproj.server.failures import NOT_NOW, Failure, invalid
from mlproj.store_wire import MESSAGEPACK

TOGETHER = 1024 * 1024 * 1024
"""Bytes that one process holds of bodies at once, and of what is made of them, as far as that can be told."""

_TIMES = 2
"""A body is held as it came, and as what was read of it."""

SMALL = 256 * 1024
"""Bytes of a body that always has room, so that logging goes on beside what is large."""

_VALUE = 48
"""Bytes of a small value in memory, which may be one or two in a document."""

_BEGIN = {
    # Of short maps, lists and texts, of nothing, and of longer texts and bytes. In a text these are parts of
    # letters beyond ASCII.
    MESSAGEPACK: bytes((*range(0x80, 0xC1), 0xC4, 0xD9)),
}
_BEGIN_IN_JSON = b",[{"


class Room:
    """Room for so many bytes. For the thread of one event loop."""

    def __init__(self, most: int = TOGETHER) -> None:
        self._most = most
        self._held = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request, largest: int, *, further: int = 0) -> AsyncIterator[bytes]:
        """The whole body, with the room that it needs taken as long as the `with` lasts, and `further` bytes.
        Raises Failure where it is larger than `largest`, or there is no room for it."""
        parts: list[bytes] = []
        size = taken = 0
        try:
            async for part in request.stream():
                parts.append(part)
                size += len(part)
                if size > largest:
                    raise invalid(f"the request is larger than {largest} bytes")
                if size > SMALL or further:
                    taken += self._take(_TIMES * size + further - taken, taken)
            body = b"".join(parts)
            del parts
            if size > SMALL:
                kind = request.headers.get("content-type", "").partition(";")[0].strip()
                values = await run_in_threadpool(_values_in, body, kind)
                taken += self._take(values * _VALUE, taken)
            yield body
        finally:
            self._held -= taken

    def _take(self, size: int, own: int) -> int:
        if own + size > self._most:
            raise invalid("the request, with its values, takes more memory than this server has for one")
        if self._held + size > self._most:
            raise Failure(NOT_NOW, "the server is at work on other large requests: try again in a moment")
        self._held += size
        return size


def _values_in(body: bytes, kind: str) -> int:
    """About how many values a document holds: at least as many as are small, which take the most memory."""
    return len(body) - len(body.translate(None, _BEGIN.get(kind, _BEGIN_IN_JSON)))
