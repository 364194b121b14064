"""Answers whoever decides if this server gets requests: that it lives, and that it can work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from starlette.concurrency import run_in_threadpool

from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.hosting.log import Log

_PATIENCE_S = 5.0
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"


class Probed:
    """Answers `/health` and `/ready` before anything else is asked of a caller, and hands everything else on.

    `checks` are asked by `/ready`, each in a thread: one that raises, or takes too long, is not ready.
    """

    def __init__(self, inner: Application, checks: Mapping[str, Callable[[], object]], log: Log) -> None:
        self._inner = inner
        self._checks = checks
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/health":
            await _answer(send, 200, _TEXT, b"OK")
        elif path == "/ready":
            found = dict(
                zip(self._checks, await asyncio.gather(*map(self._asked, self._checks)), strict=True)
            )
            ready = all(found.values())
            told = {"ready": ready, **{name: "ok" if good else "failed" for name, good in found.items()}}
            await _answer(send, 200 if ready else 503, _JSON, msgspec.json.encode(told))
        else:
            await self._inner(scope, receive, send)

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
