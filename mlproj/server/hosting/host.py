"""The entrance: a store is served at an address, by several processes, until somebody ends it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import resource
import socket
from collections.abc import Callable, Sequence

import msgspec

from mlproj.server.access import Application
from mlproj.server.hosting.listeners import Certificate, listening
from mlproj.server.hosting.log import Log
from mlproj.server.hosting.rates import Ledger
from mlproj.server.hosting.rules import Rules
from mlproj.server.hosting.worker import Around, Entrance, Extend, Job, Open, Opened, load, work_of
from mlproj.server.hosting.workers import Workers

_CONNECTIONS = 65_536


class Hosting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, and how it works. With `proxied`, clients send artifacts through it."""

    host: str
    port: int
    workers: int
    rules: Rules
    certificate: Certificate | None = None
    proxied: bool = True
    grace_s: float
    log_json: bool = False


def serve(hosting: Hosting, open_store: Open, extend: Extend, entrance: Entrance | None) -> None:
    """Serves what `open_store` opens and `extend` adds to until a signal ends it. Raises UsageError
    where nobody can listen there, and StoreError where the store cannot be used."""
    log = Log(as_json=hosting.log_json)
    _allow_connections()
    if hosting.certificate is not None:
        hosting.certificate.context()
    listeners = listening(hosting.host, hosting.port)
    with contextlib.ExitStack() as held:
        for listener in listeners:
            held.callback(listener.close)
        with open_store():
            pass  # made, or brought up to date, before several would do it
        load()
        # What is loaded now is never garbage, and workers share its memory as long as nobody looks at it.
        gc.freeze()
        job = Job(
            open=open_store,
            extend=extend,
            around=_around(hosting, log, entrance),
            listeners=listeners,
            certificate=hosting.certificate,
            proxied=hosting.proxied,
            grace_s=hosting.grace_s,
            log=log,
        )
        workers = Workers(
            work_of(job),
            hosting.workers,
            listeners,
            grace_s=hosting.grace_s,
            log=log,
            buried=_buried(hosting.rules),
        )
        workers.run(lambda: log.event("serving", at=_told(hosting, listeners), workers=hosting.workers))
        log.event("ended")


def _allow_connections() -> None:
    """Has this process hold as many as the machine lets it: each takes a descriptor, and many systems begin
    with a thousand of them."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS if most == resource.RLIM_INFINITY else min(_CONNECTIONS, most)
    if few != resource.RLIM_INFINITY and few < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _around(hosting: Hosting, log: Log, entrance: Entrance | None) -> Around:
    rules, around = hosting.rules, importlib.import_module("mlproj.server.hosting.around")
    counters = None
    if rules.metrics is not None:
        counters = importlib.import_module("mlproj.server.hosting.figures").prepared(rules.metrics)
    ledger = None if rules.rate is None else Ledger(rules.rate)

    def surround(app: Application, opened: Opened, number: int, held: contextlib.ExitStack) -> Application:
        place = around.Place(
            held=held, worker=number, own=hosting.host, log=log, counters=counters, ledger=ledger
        )
        surrounded: Application = around.surrounded(app, opened, rules, place, entrance)
        return surrounded

    return surround


def _buried(rules: Rules) -> Callable[[int], None]:
    if rules.metrics is None:
        return lambda pid: None
    forget: Callable[[int], None] = importlib.import_module("mlproj.server.hosting.figures").forget
    return forget


def _told(hosting: Hosting, listeners: Sequence[socket.socket]) -> str:
    """The addresses, as a client takes them."""
    scheme = "http" if hosting.certificate is None else "https"
    hosts = (
        (f"[{host}]" if ":" in host else host, port)
        for host, port, *_ in (listener.getsockname() for listener in listeners)
    )
    return ",".join(f"{scheme}://{host}:{port}{hosting.rules.prefix}" for host, port in hosts)
