"""How long a client is waited for: for its next request, for a body to come, for an answer to be taken.

Nothing of this costs a request: the clients are looked at every few seconds, all of a process's at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import math
import resource
import struct
import termios
from collections.abc import Callable
from typing import NamedTuple

MOST_CLIENTS = 1000
_OTHER_FILES = 200
"""Descriptors for all else: each client takes one, and another for a body that is on the disk."""
IDLE_S = 75.0
"""So long a connection stays on which nothing comes."""
BODY_S = 600.0
"""So long a body may take to arrive."""
STALLED_S = 30.0
"""Over so long a body has to come, and an answer to be taken, at `SLOWEST` bytes a second."""
SLOWEST = 500.0
_LOOK_S = 5.0


class Awaited(NamedTuple):
    """What a client is to do now: `done` says how many bytes are, or how many fewer are left. It may take
    `whole` seconds at most, and `stalled` without getting on."""

    done: Callable[[], int]
    stalled: float
    whole: float = math.inf


class Client:
    """A connection, from one request to the next."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.is_busy = False
        """Whether a request of it has begun that has no answer yet."""
        self.since = 0.0
        """When it was last seen to get on."""
        self._awaited: Awaited | None = None
        self._began = 0.0
        self._done = 0

    @property
    def is_awaited(self) -> bool:
        return self._awaited is not None

    def awaits(self, awaited: Awaited | None) -> None:
        """From now on; None where it is the server that has something to do."""
        self._awaited = awaited
        if awaited is not None:
            self.since = self._began = asyncio.get_running_loop().time()
            self._done = awaited.done()

    def look(self, now: float) -> None:
        """Ends the connection where the client has kept the server waiting for too long."""
        awaited = self._awaited
        if awaited is None:
            return
        done = awaited.done()
        if done - self._done >= SLOWEST * awaited.stalled:
            self.since, self._done = now, done
        if now - self.since > awaited.stalled or now - self._began > awaited.whole:
            self.writer.transport.abort()


class Clients:
    """Those of a process: `stalled` is the seconds over which a body has to come, or an answer be taken."""

    def __init__(self, stalled: float = STALLED_S) -> None:
        self._clients: set[Client] = set()
        self._most = _most_clients()
        self._stalled = stalled

    def add(self, client: Client) -> bool:
        """Whether there is room for one more: whoever has kept the server waiting for the longest time is let
        go. They may stay as long as nobody else wants to come in."""
        if len(self._clients) >= self._most:
            awaited = [other for other in self._clients if other.is_awaited]
            if not awaited:
                return False
            slowest = min(awaited, key=lambda other: other.since)
            self._clients.remove(slowest)
            slowest.writer.transport.abort()
        # What a client was sent has then left this process, and whoever has not taken it is known.
        client.writer.transport.set_write_buffer_limits(high=0)
        self._clients.add(client)
        return True

    def remove(self, client: Client) -> None:
        self._clients.discard(client)

    def busy(self) -> bool:
        return any(client.is_busy for client in self._clients)

    def end_idle(self) -> None:
        for client in self._clients:
            if not client.is_busy:
                client.writer.close()

    def request(self) -> Awaited:
        return Awaited(int, IDLE_S, IDLE_S)

    def body(self, arrived: Callable[[], int]) -> Awaited:
        return Awaited(arrived, self._stalled, BODY_S)

    def taking(self, writer: asyncio.StreamWriter) -> Awaited:
        """That it takes what was written to it."""
        return Awaited(lambda: -untaken(writer.transport), self._stalled)

    async def look(self, each: Callable[[float], None]) -> None:
        """For good, now and then; `each` time it is told when it is."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LOOK_S, self._stalled / 4))
            now = loop.time()
            for client in tuple(self._clients):
                client.look(now)
            each(now)


def _most_clients() -> int:
    """As many as this process may have files for, once it may have as many as it needs or can get."""
    wanted = 2 * MOST_CLIENTS + _OTHER_FILES
    files, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < wanted:
        files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    if files == resource.RLIM_INFINITY:
        return MOST_CLIENTS
    return max(1, min(MOST_CLIENTS, (files - _OTHER_FILES) // 2))


def untaken(transport: asyncio.WriteTransport) -> int:
    """Bytes that are here and in the system's own buffer, which is of megabytes: it asks for more only once a
    third of it has gone, and a slow client would seem to take nothing until then."""
    held = bytes(4)
    with contextlib.suppress(OSError, ValueError):
        held = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, held)
    return transport.get_write_buffer_size() + int(struct.unpack("i", held)[0])
