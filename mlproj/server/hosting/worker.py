"""One process of a server: opens the store, answers requests, and ends with what has begun done."""

from __future__ import annotations

import importlib
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mlproj.artifact_ports import Artifacts
from mlproj.errors import MlprojError
from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.hosting.listeners import Certificate
from mlproj.server.hosting.log import Log
from mlproj.server.hosting.workers import Post, Work
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from mlproj.webhook_ports import Webhooks

if TYPE_CHECKING:
    from mlproj.server.described import Described
    from mlproj.server.serving import Serving

_HEAVY = ("serving", "app", "sessions", "hosting.around", "pages.adding")
"""Modules that take long to load: once for all workers, before they are made."""


class Telling(Protocol):
    """Webhooks, with what sends to them once it is started, which the process is not forked after."""

    @property
    def webhooks(self) -> Webhooks: ...

    def start(
        self, *, trouble: Callable[[MlprojError], None], unexpected: Callable[[Exception], None]
    ) -> None: ...

    def close(self) -> None: ...


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What a server serves, opened by the process that does."""

    store: RunStore
    tracking: Tracking
    artifacts: Artifacts
    telling: Telling | None = None


Open = Callable[[], AbstractContextManager[Opened]]
Entrance = Callable[[RunStore, Application, Callable[[Exception], None]], AbstractContextManager[Application]]
"""Puts before an application what asks callers who they are; the last hears of what went wrong in it."""

Extend = Callable[["Described"], None]
"""Adds to an application what is no API of tracking: pages."""

Around = Callable[[Application, Opened, int, ExitStack], Application]
"""Puts around an application what every request goes through, in the worker of that number, which lets go of
what it holds at its end."""


class Door(Protocol):
    """An application that lets go of something at its end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def close(self) -> None: ...


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What all workers of a server do alike.

    `proxied` clients send artifacts through the server. Seconds of `grace_s` are left to what is in flight
    when it ends.
    """

    open: Open
    extend: Extend
    around: Around
    listeners: Sequence[socket.socket]
    certificate: Certificate | None
    proxied: bool
    grace_s: float
    log: Log


def load() -> None:
    """Loads what every worker needs; nothing of it is used yet."""
    for name in _HEAVY:
        importlib.import_module(f"mlproj.server.{name}")


def work_of(job: Job) -> Work:
    return lambda post: _serve(job, post)


def _serve(job: Job, post: Post) -> None:
    with ExitStack() as held:
        opened = held.enter_context(job.open())
        app = _part("app:create_app")(
            opened.tracking,
            opened.artifacts,
            proxied=job.proxied,
            store=opened.store,
            hooks=opened.telling and opened.telling.webhooks,
            unexpected=job.log.bug,
        )
        job.extend(app)
        serving: Serving = _part("serving:Serving")(
            job.around(_part("sessions:Unshared")(app), opened, post.number, held),
            job.listeners,
            tls=job.certificate and job.certificate.context(),
            grace=job.grace_s,
            until=post.end,
            begun=post.ready,
        )
        signal.signal(signal.SIGTERM, lambda *_: serving.end())
        if opened.telling is not None:
            opened.telling.start(trouble=partial(_tell, job.log), unexpected=job.log.bug)
        serving.run()


def _tell(log: Log, error: MlprojError) -> None:
    log.trouble("webhooks wait", why=error.message, hint=error.hint)


def _part(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"mlproj.server.{module}"), attribute)
