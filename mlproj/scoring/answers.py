"""Which answer belongs to a request: MLflow's four routes, and the same refusals as from MLflow's server."""

from __future__ import annotations

import sys
import traceback
from typing import Any
from urllib.parse import quote

from .exchange import PLAIN, Answer, Loaded, Request, document
from .threads import Threads

_READ = ("/ping", "/health", "/version")
_SCORED = "/invocations"
_WHICH = "/model"
"""Beside MLflow's routes: which model it is that answers."""


class Answers:
    """Answers for a model: what takes time in `threads`. `served` says which model it is, and so does a
    header of each of its answers."""

    def __init__(self, loaded: Loaded, threads: Threads, served: dict[str, Any]) -> None:
        self._loaded = loaded
        self.threads = threads
        self._served = served
        told = ((f"mlproj-{name}", served.get(name)) for name in ("model", "digest"))
        self._headers = tuple((name, quote(text, safe=":/@")) for name, text in told if text)

    async def answer(self, request: Request) -> Answer:
        if request.path == _WHICH and self._served:
            return document(200, self._served) if request.method == "GET" else _wrong_method("GET")
        if request.path in _READ:
            if request.method != "GET":
                return _wrong_method("GET")
            told = self._loaded.version if request.path == "/version" else "\n"
            return Answer(200, told.encode())
        if request.path != _SCORED:
            return Answer(404, b'{"detail":"Not Found"}')
        if request.method != "POST":
            return _wrong_method("POST")
        answer = await self.threads.answer(self._score, request)
        return answer._replace(headers=(*answer.headers, *self._headers))

    def _score(self, request: Request) -> Answer:
        """Whatever a model's code raises ends the request, and not the server."""
        try:
            return self._loaded.scorer(request.body, request.headers.get("content-type", ""))
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            return Answer(500, b"Internal Server Error", PLAIN)


def _wrong_method(allowed: str) -> Answer:
    return Answer(405, b'{"detail":"Method Not Allowed"}', headers=(("allow", allowed),))
