"""The bytes of artifacts, up and down, in pieces: a file of any size needs the memory of one piece."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TypeVar
from urllib.parse import quote
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mlproj.errors import NotFound, UsageError
from mlproj.server import places
from mlproj.server.desk import Desk
from mlproj.server.ranges import wanted

PIECE = 1024 * 1024

_JSON = "application/json"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)

_THREADS = CapacityLimiter(64)
"""For uploads, which wait for their clients: however many do, there are others for everything else."""
_OF_ONE = 16
"""So many of them one caller has: who sends little by little leaves some to others."""
_LIMITS: WeakValueDictionary[tuple[int, str], CapacityLimiter] = WeakValueDictionary()


Done = TypeVar("Done")


class Cut(Exception):
    """The client went away in the middle of an upload."""


async def download(desk: Desk, request: Request) -> Response:
    path = request.path_params["artifact_path"]
    stored = places.place(path).stored
    try:
        size = await run_in_threadpool(desk.artifacts.size, stored)
        asked = wanted(request.headers, size)
        span = range(size) if asked is None else asked
        pieces = await run_in_threadpool(desk.artifacts.read, stored, span.start, len(span))
    except NotFound as error:
        raise NotFound(f"No such artifact: '{path}'") from error
    name = quote(posixpath.basename(stored))
    headers = {
        "content-length": str(len(span)),
        "accept-ranges": "bytes",
        # No browser takes what a run wrote for a page of this server's.
        "content-disposition": f"attachment; filename*=UTF-8''{name}",
        "x-content-type-options": "nosniff",
    }
    if asked is not None:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    return StreamingResponse(
        pieces, 200 if asked is None else 206, headers=headers, media_type="application/octet-stream"
    )


async def upload(desk: Desk, request: Request) -> Response:
    place = _writable(desk, request)
    pieces = arriving(request)
    await written(desk, request, partial(desk.artifacts.write, place.stored, pieces))
    return Response(b"{}", media_type=_JSON)


async def upload_part(desk: Desk, request: Request) -> Response:
    """A part of an upload; its tag is what the client names it by when it completes the upload."""
    place, told = _writable(desk, request), request.path_params
    number = part_number(told["part_number"])
    pieces = arriving(request)
    add = partial(desk.artifacts.uploads.add, place.stored, told["upload_id"], number)
    tag = await written(desk, request, partial(add, pieces))
    return Response(b"{}", media_type=_JSON, headers={"etag": f'"{tag}"'})


def part_number(text: str) -> int:
    """Raises UsageError."""
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"`{text[:20]}` is no number of a part")
    return int(text)


async def remove(desk: Desk, request: Request) -> Response:
    place = _writable(desk, request)
    await run_in_threadpool(desk.artifacts.delete, place.stored)
    return Response(b"{}", media_type=_JSON)


def _writable(desk: Desk, request: Request) -> places.Place:
    return desk.writable(places.place(request.path_params["artifact_path"]))


async def written(desk: Desk, request: Request, write: Callable[[], Done]) -> Done:
    """What comes of going through something that arrives, in a thread for that."""
    client = "" if request.client is None else request.client.host
    name = f"address {client}" if desk.caller.name is None else f"user {desk.caller.name}"
    limit = _LIMITS.setdefault((id(asyncio.get_running_loop()), name), CapacityLimiter(_OF_ONE))
    async with limit:
        return await to_thread.run_sync(write, limiter=_THREADS)


def arriving(request: Request) -> Iterator[bytes]:
    """The body, for another thread to go through while it arrives. Raises Cut there."""
    return _Pieces(_gathered(request), asyncio.get_running_loop())


async def _gathered(request: Request) -> AsyncIterator[bytes]:
    """What arrives, in pieces worth going to another thread for."""
    pieces: list[bytes] = []
    size = 0
    expected = request.headers.get("content-length")
    arrived = 0
    try:
        async for part in request.stream():
            pieces.append(part)
            size += len(part)
            arrived += len(part)
            if size >= PIECE:
                yield b"".join(pieces)
                pieces, size = [], 0
    except Exception as error:
        raise Cut("the client went away") from error
    if expected is not None and expected.isdecimal() and arrived < int(expected):
        raise Cut("the client went away")
    yield b"".join(pieces)


class _Pieces(Iterator[bytes]):
    """The pieces for a thread that writes them down; it waits for each on the loop where they arrive."""

    def __init__(self, source: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop

    def __next__(self) -> bytes:
        piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        if piece is None:
            raise StopIteration
        return piece

    async def _next(self) -> bytes | None:
        return await anext(self._source, None)
