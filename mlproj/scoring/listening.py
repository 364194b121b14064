"""Listens for clients, and serves each as long as it stays."""

from __future__ import annotations

import asyncio
import contextlib
import http
import signal
import socket
import tempfile
from collections.abc import Callable

from .answers import Answers
from .exchange import PLAIN, Answer, Refused
from .requests import LONGEST_HEAD, SMALL, Head, read_body, read_head

MOST_CLIENTS = 1000
IDLE_S = 75.0
"""So long a connection stays on which nothing comes."""
LARGE_AT_ONCE = 2
"""So many bodies that take room are in memory at the same time; others wait on the disk."""
BODY_S = 600.0
"""So long a body may take to arrive."""
GRACE_S = 10.0
"""So long what is being answered may still take when the server is to stop."""
_LINGER_S = 2.0
_LINGER = 64 * 1024 * 1024
"""How long, and how many bytes, are still taken of a body that was refused: who sends reads no answer before
all is sent, and a connection that is closed at once takes the answer with it."""


class Listening:
    """One process's share of the clients of a socket."""

    def __init__(self, answers: Answers, most: int) -> None:
        self._answers = answers
        self._most = most
        self._clients: dict[asyncio.StreamWriter, None] = {}
        """The one that was heard of last stands last."""
        self._busy: set[asyncio.StreamWriter] = set()
        self._stopping = False

    async def serve(self, listener: socket.socket, alive: int, ready: Callable[[], None]) -> None:
        """Until a signal asks for the end, or nothing holds the other end of `alive` any more."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_reader(alive, stop.set)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        server = await asyncio.start_server(self._client, sock=listener, limit=LONGEST_HEAD, backlog=1024)
        ready()
        await stop.wait()
        loop.remove_reader(alive)
        server.close()
        await self._finish()

    async def _finish(self) -> None:
        self._stopping = True
        for writer in self._clients.keys() - self._busy:
            writer.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + GRACE_S
        while self._busy and loop.time() < end:
            await asyncio.sleep(0.02)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MOST_CLIENTS and not self._make_room():
            full = Answer(503, b"too many clients", PLAIN, (("retry-after", "1"),))
            writer.write(_rendered(full, lasts=False))
            writer.close()
            return
        self._clients[writer] = None
        try:
            # A client that goes away is its own affair.
            with contextlib.suppress(ConnectionError, OSError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self._clients.pop(writer, None)
            self._busy.discard(writer)
            writer.close()

    def _make_room(self) -> bool:
        """Lets the one go that has asked for nothing for the longest time: they may stay as long as nobody
        else wants to come in."""
        idle = next((writer for writer in self._clients if writer not in self._busy), None)
        if idle is None:
            return False
        del self._clients[idle]
        idle.transport.abort()
        return True

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request with its answer; whether another may follow."""
        idle = asyncio.get_running_loop().call_later(IDLE_S, writer.transport.abort)
        try:
            head = await read_head(reader, self._most)
            idle.cancel()
            if head is None or self._stopping:
                return False
            self._busy.add(writer)
            self._clients[writer] = self._clients.pop(writer, None)
            answer = await self._answer(reader, writer, head)
            if answer is None:
                return False
            lasts = head.request.lasts and not self._stopping
            writer.write(_rendered(answer, lasts=lasts, bare=head.request.method == "HEAD"))
            await writer.drain()
            return lasts
        except Refused as refused:
            writer.write(_rendered(refused.answer, lasts=False))
            await self._linger(reader, writer)
            return False
        finally:
            idle.cancel()
            self._busy.discard(writer)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: Head
    ) -> Answer | None:
        """None where the body does not come. Raises Refused."""
        # One that takes room comes to the disk: whoever sends it slowly keeps nobody else waiting.
        with tempfile.SpooledTemporaryFile(SMALL) as body:
            slow = asyncio.get_running_loop().call_later(BODY_S, writer.transport.abort)
            try:
                size = await read_body(reader, writer, head, self._most, body)
            finally:
                slow.cancel()
            if size is None:
                return None
            async with contextlib.AsyncExitStack() as room:
                if size > SMALL:
                    await room.enter_async_context(self._large)
                return await self._answers.answer(head.request._replace(body=body.read()))

    async def _linger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError, OSError):
            await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait_for(_discard(reader), _LINGER_S)


async def _discard(reader: asyncio.StreamReader) -> None:
    left = _LINGER
    while left > 0:
        piece = await reader.read(256 * 1024)
        if not piece:
            return
        left -= len(piece)


def _rendered(answer: Answer, *, lasts: bool, bare: bool = False) -> bytes:
    kind = f"{answer.kind}; charset=utf-8" if answer.kind.startswith("text/") else answer.kind
    lines = [f"HTTP/1.1 {answer.status} {http.HTTPStatus(answer.status).phrase}"]
    lines += [f"content-type: {kind}", f"content-length: {len(answer.body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers if name != "connection"]
    lines += [] if lasts else ["connection: close"]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (b"" if bare else answer.body)
