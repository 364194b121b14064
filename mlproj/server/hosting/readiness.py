"""Answers whoever decides if this server gets requests: that it lives, and that it can work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
from starlette.concurrency import run_in_threadpool

from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.hosting.log import Log

_PATIENCE_S = 5.0
_FRESH_S = 1.0
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"


class Probed:
    """Answers `/health` and `/ready` before anything else is asked of a caller, and hands everything else on.

    `checks` are asked by `/ready`, each in a thread: one that raises, or takes too long, is not ready. What
    they said is good for a second: nobody has to say who they are to ask.
    """

    def __init__(self, inner: Application, checks: Mapping[str, Callable[[], object]], log: Log) -> None:
        self._inner = inner
        self._checks = checks
        self._log = log
        self._asking: asyncio.Task[dict[str, bool]] | None = None
        self._since = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/health":
            await _answer(send, 200, _TEXT, b"OK")
        elif path == "/ready":
            found = await self._found()
            ready = all(found.values())
            told = {"ready": ready, **{name: "ok" if good else "failed" for name, good in found.items()}}
            await _answer(send, 200 if ready else 503, _JSON, msgspec.json.encode(told))
        else:
            await self._inner(scope, receive, send)

    async def _found(self) -> dict[str, bool]:
        stale = time.monotonic() - self._since > _FRESH_S
        if self._asking is None or (self._asking.done() and stale):
            self._asking = asyncio.create_task(self._ask())
        # Whoever goes away does not end it for others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, bool]:
        asked = await asyncio.gather(*map(self._asked, self._checks))
        self._since = time.monotonic()
        return dict(zip(self._checks, asked, strict=True))

    async def _asked(self, name: str) -> bool:
        try:
            await asyncio.wait_for(run_in_threadpool(self._checks[name]), _PATIENCE_S)
        except Exception as error:
            # What is wrong may name hosts and folders: the log is told, and not whoever asks.
            self._log.trouble("not ready", check=name, error=type(error).__name__, why=str(error))
            return False
        return True


async def _answer(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
