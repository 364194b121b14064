"""Sees every request from its first byte to the last of its answer, and tells the log and the figures."""

from __future__ import annotations

import time
from typing import Protocol

from mlproj.server import failures
from mlproj.server.access import Application, Message, Receive, Refusal, Scope, Send
from mlproj.server.failures import Failure
from mlproj.server.hosting import notes
from mlproj.server.hosting.log import Log, shown_path

INTERNAL = Failure(failures.INTERNAL, "internal error")

_NOT_ANSWERED = 499
"""The status in log and figures of a request whose client went away before there was an answer."""


class Seen:
    """What is known of a request at its end."""

    __slots__ = ("came", "method", "notes", "seconds", "status", "went")

    def __init__(self, method: str, noted: notes.Notes) -> None:
        self.method = method
        self.notes = noted
        self.status = _NOT_ANSWERED
        self.came = 0
        self.went = 0
        self.seconds = 0.0


class Figures(Protocol):
    """Counts requests."""

    def began(self) -> None: ...

    def ended(self, seen: Seen) -> None: ...


class Witness:
    """Gives each request an id, which its answer has as well, and tells of it when it has been answered."""

    def __init__(self, inner: Application, log: Log, worker: int, figures: Figures | None = None) -> None:
        self._inner = inner
        self._log = log
        self._worker = worker
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        path = scope["path"]
        scope, noted = notes.begun(scope)
        seen, began = Seen(scope["method"], noted), time.perf_counter()
        header = (b"x-request-id", noted.request_id.encode())

        async def counted_in() -> Message:
            message = await receive()
            seen.came += len(message.get("body", b""))
            return message

        async def counted_out(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": [*message["headers"], header]}
            else:
                seen.went += len(message.get("body", b""))
            await send(message)

        if self._figures is not None:
            self._figures.began()
        try:
            await self._inner(scope, counted_in, counted_out)
        except Exception as error:
            # What the application did not expect it told of itself, and answered with this status.
            if seen.status != INTERNAL.status:
                self._log.bug(error, request_id=noted.request_id)
            if seen.status == _NOT_ANSWERED:
                await Refusal(INTERNAL)(scope, counted_in, counted_out)
        finally:
            seen.seconds = time.perf_counter() - began
            if self._figures is not None:
                self._figures.ended(seen)
            self._tell(seen, path)

    def _tell(self, seen: Seen, path: str) -> None:
        self._log.event(
            "request",
            method=seen.method,
            path=shown_path(path),
            status=seen.status,
            ms=round(seen.seconds * 1000, 2),
            came=seen.came,
            went=seen.went,
            client=seen.notes.address,
            user=seen.notes.user,
            request_id=seen.notes.request_id,
            worker=self._worker,
        )
