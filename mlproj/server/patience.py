"""How long a server waits for one client, and how much it takes before it knows what is asked: nobody has to
say who they are to open connections, to send headers without end, or a byte at a time.

Nothing of this costs a request: connections are looked at every few seconds, all of a server's at once.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlproj.scoring.patience import untaken

LARGEST_HEAD = 128 * 1024
"""Bytes of a request line with its headers, or of whatever stands between the pieces of a body."""

_OTHER_FILES = 200
"""Descriptors that are left to all else, where there are as many connections as can be."""

_AHEAD = 64
"""Requests that a client may send before it has its answers."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

Stage = tuple[str, int]
"""What a client is waited for, and of which of its requests."""

_NOTHING: Stage = ("nothing", 0)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long each thing may take, in seconds: `head` a request until its headers are there, `idle` a
    connection between two requests. A body has to come, and an answer to be taken, at `slowest` bytes a
    second, as seen over `stalled` seconds. It is looked at every `look`. So many `connections` are held at
    once, or as many as this process may have."""

    head: float = 30.0
    idle: float = 300.0
    stalled: float = 60.0
    slowest: float = 500.0
    look: float = 5.0
    connections: int | None = None

    @property
    def most(self) -> int:
        """How many connections are held at once."""
        if self.connections is not None:
            return self.connections
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return sys.maxsize if files == resource.RLIM_INFINITY else max(files // 2, files - _OTHER_FILES)


USUAL = Patience()


class Patient(HttpToolsProtocol):
    """One connection, of at most so many at once. `look` is to be called now and then, and ends it where its
    client takes too long."""

    def __init__(self, patience: Patience, most: int, **told: Any) -> None:
        super().__init__(**told)
        self._patience = patience
        self._most = most
        self._around = 0
        self._arrived = 0
        self._begun = 0
        self._arriving = False
        self._stage = _NOTHING
        self._done = 0
        self._since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        self._around += len(data)
        super().data_received(data)
        if len(self.pipeline) > _AHEAD:
            self.transport.abort()
        elif self._around > LARGEST_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1

    def on_headers_complete(self) -> None:
        self._around = 0
        self._arriving = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._around = 0
        self._arrived += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._around = 0
        self._arriving = False
        super().on_message_complete()

    def look(self, now: float) -> None:
        """Ends the connection where the client has kept the server waiting for too long."""
        stage, done = self._waited_for()
        patience = self._patience
        longest = {"head": patience.head, "idle": patience.idle}.get(stage[0], patience.stalled)
        enough = patience.slowest * patience.stalled
        # What is left of an answer becomes more where it goes on.
        if stage == _NOTHING or stage != self._stage or abs(done - self._done) >= enough:
            self._stage, self._done, self._since = stage, done, now
        elif now - self._since > longest:
            self.transport.abort()

    def is_idle(self) -> bool:
        """Whether it is nothing to the client yet, or no more, if this connection ends."""
        return self._waited_for()[0][0] in ("head", "idle")

    def _waited_for(self) -> tuple[Stage, int]:
        """What the client has to do next, and how far it is with that."""
        if self.flow.write_paused:
            return ("answer", self._begun), -untaken(self.transport)
        if self._arriving:
            waits = self.flow.read_paused or self.cycle.waiting_for_100_continue
            return (_NOTHING, 0) if waits else (("body", self._begun), self._arrived)
        if self.cycle is not None and not self.cycle.response_complete:
            return _NOTHING, 0
        return ("idle" if self.cycle is not None and not self._around else "head", self._begun), 0

    def _make_room(self) -> None:
        """Ends one that nobody uses, or else the newest, which is this one."""
        others = (each for each in self.connections if isinstance(each, Patient) and each is not self)
        unused = next((each for each in others if each.is_idle()), self)
        unused.transport.abort()
