"""Serves an application on a socket that is open already, until it is told to end. Loaded when needed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import uvicorn

from mlproj.server.access import Application
from mlproj.server.patience import USUAL, Patience, Patient

GRACE = 5.0
"""Seconds that what is in flight may take to finish at the end."""

_LOOK = 0.005


class Serving:
    """An event loop of its own, for the thread that calls `run`; signals stay the process's.

    It speaks TLS where it has `tls`, calls `begun` once it takes requests, and also ends when there is
    something to read from the descriptor `until`; what is in flight then may take `grace` seconds. No client
    is waited for longer than its `patience` lasts.
    """

    def __init__(
        self,
        application: Application,
        listeners: Sequence[socket.socket],
        *,
        tls: ssl.SSLContext | None = None,
        grace: float = GRACE,
        until: int | None = None,
        begun: Callable[[], None] = lambda: None,
        patience: Patience = USUAL,
    ) -> None:
        protocol = partial(Patient, patience, patience.most)
        config = uvicorn.Config(
            application,
            http=cast(Any, protocol),
            ws="none",
            lifespan="off",
            access_log=False,
            # What a client does wrong it is told itself, and bugs are told of by the application.
            log_config=None,
            log_level="critical",
            server_header=False,
            date_header=False,
            # It would believe what any program of this machine says of where it calls from.
            proxy_headers=False,
            timeout_keep_alive=math.ceil(patience.idle),
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
        self._server = _Server(config, grace, until, begun, patience.look)
        self._listeners = list(listeners)

    def run(self) -> None:
        """Answers requests until `end` is called, and then those that have arrived."""
        asyncio.run(self._server.serve(self._listeners))

    def end(self) -> None:
        """May be called from any thread, and before `run` too."""
        self._server.end()


class _Server(uvicorn.Server):
    """Ends at once when it is told to: uvicorn's own looks ten times a second, and three times at the end."""

    def __init__(
        self, config: uvicorn.Config, grace: float, until: int | None, begun: Callable[[], None], look: float
    ) -> None:
        super().__init__(config)
        self._look = look
        self._grace = grace
        self._until = until
        self._begun = begun
        # A handler of signals may call `end` while its thread holds the lock.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def end(self) -> None:
        with self._lock:
            self.should_exit = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._over.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's: uvicorn would take them where it runs in the main thread."""
        yield

    async def main_loop(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self.should_exit:
                self._over.set()
        if self._until is not None:
            self._loop.add_reader(self._until, self._over.set)
        self._begun()
        while not self._over.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._look)
            self._look_at_clients()
        if self._until is not None:
            self._loop.remove_reader(self._until)
        with self._lock:
            self._loop = None

    def _look_at_clients(self) -> None:
        """Ends the connections of those that keep the server waiting."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            cast(Patient, connection).look(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            asyncio.get_running_loop().remove_reader(listener)
        # Those that were taken just now become connections first, which a closed server would not let them.
        await asyncio.sleep(_LOOK)
        for server in self.servers:
            server.close()
        if not await self._emptied(self._grace):
            # A client that stalls in the middle: its request ends as one whose client went away.
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await self._emptied(min(self._grace, GRACE))

    async def _emptied(self, seconds: float) -> bool:
        """Whether every connection has ended within the time, with its request."""
        state, end = self.server_state, time.monotonic() + seconds
        while time.monotonic() < end:
            for connection in list(state.connections):
                # Closes one that is idle, and has a busy one closed with its answer.
                connection.shutdown()
            await asyncio.sleep(_LOOK)
            if not (state.connections or state.tasks):
                return True
        return False
