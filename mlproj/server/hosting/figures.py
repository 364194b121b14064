"""Figures for Prometheus, of all workers together: each writes its own into files of one folder.

The library decides by a variable, when it is loaded, whether it counts for one process or for several: so it
is loaded by `prepared` alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from mlproj.errors import StoreError
from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.hosting.witness import Seen
from mlproj.version import __version__

_OWN = "mlproj-server"
"""The folder in the one that is named: the library reads whatever is there, and we empty it."""

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Counters:
    """The `Figures` of a worker. Get one from `prepared`, before workers are made."""

    def __init__(self, library: Any) -> None:
        self._library = library
        labels = ("method", "route")
        self._requests = library.Counter(
            "mlproj_http_requests", "Requests that were answered.", (*labels, "status"), registry=None
        )
        self._seconds = library.Histogram(
            "mlproj_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            labels,
            buckets=_SECONDS,
            registry=None,
        )
        self._bytes = library.Counter(
            "mlproj_http_bytes", "Bytes of the bodies of requests and answers.", ("direction",), registry=None
        )
        self._going_on = library.Gauge(
            "mlproj_http_requests_in_progress",
            "Requests that are not answered yet.",
            multiprocess_mode="livesum",
            registry=None,
        )
        self._version = library.Gauge(
            "mlproj_info", "The version of the server.", ("version",), multiprocess_mode="max", registry=None
        )

    def began(self) -> None:
        self._going_on.inc()

    def ended(self, seen: Seen) -> None:
        self._going_on.dec()
        # What no route is for is one row, however many paths somebody tries.
        route = seen.notes.route or "none"
        method = seen.method if seen.notes.route else "any"
        self._requests.labels(method, route, str(seen.status)).inc()
        self._seconds.labels(method, route).observe(seen.seconds)
        self._bytes.labels("in").inc(seen.came)
        self._bytes.labels("out").inc(seen.went)

    def page(self) -> bytes:
        """What all workers counted, in Prometheus's text form."""
        self._version.labels(__version__).set(1)
        registry = self._library.CollectorRegistry()
        importlib.import_module("prometheus_client.multiprocess").MultiProcessCollector(registry)
        page: bytes = self._library.generate_latest(registry)
        return page


def prepared(folder: Path) -> Counters:
    """Counters that keep what they count below the folder, where nothing stays of what others counted before.
    Raises StoreError."""
    own = folder / _OWN
    try:
        own.mkdir(parents=True, exist_ok=True)
        for file in own.iterdir():
            file.unlink()
    except OSError as error:
        raise StoreError(f"figures cannot be kept in `{folder}`: {error.strerror}") from error
    os.environ[_FOLDER] = str(own)
    return Counters(importlib.import_module("prometheus_client"))


def forget(pid: int) -> None:
    """Has what a worker that is dead was just doing no longer count."""
    with contextlib.suppress(OSError):
        importlib.import_module("prometheus_client.multiprocess").mark_process_dead(pid)


class Exposed:
    """Answers `/metrics`, and hands everything else on."""

    def __init__(self, inner: Application, counters: Counters) -> None:
        self._inner = inner
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/metrics":
            await self._inner(scope, receive, send)
            return
        body = await run_in_threadpool(self._counters.page)
        headers = [
            (b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
