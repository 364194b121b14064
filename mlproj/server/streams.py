"""The bytes of artifacts, up and down, in pieces: a file of any size needs the memory of one piece."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from mlproj.errors import NotFound, UsageError
from mlproj.server import places
from mlproj.server.desk import Desk

PIECE = 1024 * 1024

_WRITERS = CapacityLimiter(16)
"""Threads for uploads, which wait for their clients: however many do, there are others for everybody else."""


class Cut(Exception):
    """The client went away in the middle of an upload."""


async def download(desk: Desk, request: Request) -> Response:
    path = request.path_params["artifact_path"]
    stored = places.place(path).stored
    try:
        size = await run_in_threadpool(desk.artifacts.size, stored)
        pieces = await run_in_threadpool(desk.artifacts.read, stored)
    except NotFound as error:
        raise NotFound(f"No such artifact: '{path}'") from error
    name = quote(posixpath.basename(stored))
    headers = {
        "content-length": str(size),
        # No browser takes what a run wrote for a page of this server's.
        "content-disposition": f"attachment; filename*=UTF-8''{name}",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


async def upload(desk: Desk, request: Request) -> Response:
    place = _writable(desk, request)
    pieces = _Pieces(_gathered(request), asyncio.get_running_loop())
    await to_thread.run_sync(desk.artifacts.write, place.stored, pieces, limiter=_WRITERS)
    return Response(b"{}", media_type="application/json")


async def remove(desk: Desk, request: Request) -> Response:
    place = _writable(desk, request)
    await run_in_threadpool(desk.artifacts.delete, place.stored)
    return Response(b"{}", media_type="application/json")


def _writable(desk: Desk, request: Request) -> places.Place:
    place = places.place(request.path_params["artifact_path"])
    if not place.path:
        raise UsageError("this is the whole artifact folder", hint="name a file or a folder in it")
    match place.kind:
        case "runs":
            desk.write_run(place.name)
        case "models":
            desk.write_model(place.name)
        case _:
            desk.write_trace(place.name)
    return place


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
