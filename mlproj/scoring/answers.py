"""Which answer belongs to a request: MLflow's four routes, and the same refusals as from MLflow's server."""

from __future__ import annotations

import asyncio
import sys
import traceback
from concurrent.futures import Executor

from .exchange import PLAIN, Answer, Loaded, Request

_READ = ("/ping", "/health", "/version")
_SCORED = "/invocations"


class Answers:
    """Answers for a model: what takes time in the threads of `pool`, for at most `timeout` seconds."""

    def __init__(self, loaded: Loaded, pool: Executor, timeout: float) -> None:
        self._loaded = loaded
        self._pool = pool
        self._timeout = timeout

    async def answer(self, request: Request) -> Answer:
        if request.path in _READ:
            if request.method != "GET":
                return _wrong_method("GET")
            told = self._loaded.version if request.path == "/version" else "\n"
            return Answer(200, told.encode())
        if request.path != _SCORED:
            return Answer(404, b'{"detail":"Not Found"}')
        if request.method != "POST":
            return _wrong_method("POST")
        scoring = asyncio.get_running_loop().run_in_executor(self._pool, self._score, request)
        try:
            return await asyncio.wait_for(scoring, self._timeout)
        except asyncio.TimeoutError:
            return Answer(504, b"Request processing time exceeded limit")

    def _score(self, request: Request) -> Answer:
        """Whatever a model's code raises ends the request, and not the server."""
        try:
            return self._loaded.scorer(request.body, request.headers.get("content-type", ""))
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            return Answer(500, b"Internal Server Error", PLAIN)


def _wrong_method(allowed: str) -> Answer:
    return Answer(405, b'{"detail":"Method Not Allowed"}', headers=(("allow", allowed),))
