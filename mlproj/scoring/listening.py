"""Listens for clients, and serves each as long as it stays."""

from __future__ import annotations

import asyncio
import contextlib
import http
import signal
import socket
import sys
import tempfile
from collections.abc import Callable

from .answers import Answers
from .exchange import PLAIN, Answer, Refused
from .patience import Client, Clients
from .requests import CONTINUE, LONGEST_HEAD, SMALL, Head, read_body, read_head

LARGE_AT_ONCE = 2
"""So many bodies that take room are in memory at the same time; others wait on the disk."""
GRACE_S = 10.0
"""So long what is being answered may still take when the server is to stop."""
_LINGER_S = 2.0
_LINGER = 64 * 1024 * 1024
"""How long, and how many bytes, are still taken of a body that was refused: who sends reads no answer before
all is sent, and a connection that is closed at once takes the answer with it."""


class Listening:
    """One process's share of the clients of a socket."""

    def __init__(self, answers: Answers, clients: Clients, most: int) -> None:
        self._answers = answers
        self._clients = clients
        self._most = most
        self._stopping = False

    async def serve(self, listener: socket.socket, alive: int, ready: Callable[[], None]) -> None:
        """Until a signal asks for the end, nothing holds the other end of `alive` any more, or no thread is
        left to answer with."""
        loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_reader(alive, self._stop.set)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        server = await asyncio.start_server(self._serve, sock=listener, limit=LONGEST_HEAD, backlog=1024)
        looking = loop.create_task(self._clients.look(self._end_if_spent))
        ready()
        await self._stop.wait()
        loop.remove_reader(alive)
        server.close()
        await self._finish()
        looking.cancel()

    def _end_if_spent(self, now: float) -> None:
        if self._answers.threads.are_spent(now) and not self._stop.is_set():
            print("requests that were given up hold a process of the model", file=sys.stderr, flush=True)
            self._stop.set()

    async def _finish(self) -> None:
        self._stopping = True
        self._clients.end_idle()
        loop = asyncio.get_running_loop()
        end = loop.time() + GRACE_S
        while self._clients.busy() and loop.time() < end:
            await asyncio.sleep(0.02)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        if not self._clients.add(client):
            full = Answer(503, b"too many clients", PLAIN, (("retry-after", "1"),))
            writer.write(_rendered(full, lasts=False))
            writer.close()
            return
        try:
            # A client that goes away is its own affair.
            with contextlib.suppress(ConnectionError, OSError):
                while await self._exchange(reader, client):
                    pass
        finally:
            self._clients.remove(client)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, client: Client) -> bool:
        """One request with its answer; whether another may follow."""
        try:
            client.awaits(self._clients.request())
            head = await read_head(reader, self._most)
            if head is None or self._stopping:
                return False
            client.is_busy = True
            answer = await self._answer(reader, client, head)
            if answer is None:
                return False
            lasts = head.request.lasts and not self._stopping
            await self._send(client, _rendered(answer, lasts=lasts, bare=head.request.method == "HEAD"))
            return lasts
        except Refused as refused:
            await self._send(client, _rendered(refused.answer, lasts=False))
            client.awaits(self._clients.taking(client.writer))
            await _linger(reader, client.writer)
            return False
        finally:
            client.is_busy = False

    async def _answer(self, reader: asyncio.StreamReader, client: Client, head: Head) -> Answer | None:
        """None where the body does not come. Raises Refused."""
        if head.asks_first:
            client.writer.write(CONTINUE)
        # One that takes room comes to the disk: whoever sends it slowly keeps nobody else waiting.
        with tempfile.SpooledTemporaryFile(SMALL) as body:
            client.awaits(self._clients.body(body.tell))
            size = await read_body(reader, head, self._most, body)
            if size is None:
                return None
            client.awaits(None)
            async with contextlib.AsyncExitStack() as room:
                if size > SMALL:
                    await room.enter_async_context(self._large)
                return await self._answers.answer(head.request._replace(body=body.read()))

    async def _send(self, client: Client, told: bytes) -> None:
        writer = client.writer
        writer.write(told)
        # Most answers have left at once.
        client.awaits(self._clients.taking(writer) if writer.transport.get_write_buffer_size() else None)
        await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.TimeoutError, ConnectionError, OSError):
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
