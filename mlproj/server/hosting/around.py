"""What every request goes through, in order, from the socket to its route."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import msgspec
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mlproj.server.access import Application
from mlproj.server.hosting.figures import Counters, Exposed
from mlproj.server.hosting.gate import Gate
from mlproj.server.hosting.log import Log
from mlproj.server.hosting.notes import Named, Routed
from mlproj.server.hosting.prefix import Below
from mlproj.server.hosting.rates import Ledger, Paced
from mlproj.server.hosting.readiness import Probed
from mlproj.server.hosting.rules import ANY, Rules
from mlproj.server.hosting.sizes import Sized
from mlproj.server.hosting.witness import Witness
from mlproj.server.hosting.worker import Entrance, Opened
from mlproj.server.routes.runs import DEFAULT_EXPERIMENT


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request comes in: the number of the worker, the name that the server listens at, and what all
    workers write to. What is `held` is let go of at the worker's end."""

    held: ExitStack
    worker: int
    own: str
    log: Log
    counters: Counters | None
    ledger: Ledger | None


def surrounded(
    app: Application, opened: Opened, rules: Rules, place: Place, entrance: Entrance | None
) -> Application:
    """The application as callers meet it, who are first asked who they are where there is an `entrance`."""
    inner: Application = Routed(app)
    if place.counters is not None:
        inner = Exposed(inner, place.counters)
    if place.ledger is not None:
        inner = Paced(inner, place.ledger)
    if entrance is not None:
        inner = place.held.enter_context(entrance(opened.store, Named(inner), place.log.bug))
    if rules.most_bytes is not None:
        inner = Sized(inner, rules.most_bytes)
    if rules.checked:
        inner = Gate(_told_to_browsers(inner, rules), rules, place.own)
    inner = Probed(inner, _checks(opened), place.log)
    if rules.prefix:
        inner = Below(inner, rules.prefix)
    inner = Witness(inner, place.log, place.worker, place.counters)
    if rules.forwarded_by is not None:
        # Their types name the kinds of messages that ours leave open.
        inner = cast(Application, ProxyHeadersMiddleware(cast(Any, inner), rules.forwarded_by))
    return inner


def _told_to_browsers(inner: Application, rules: Rules) -> Application:
    """Has pages of other servers see answers: what gets here is of those that may."""
    everybody = ANY in (rules.origins or ())
    return CORSMiddleware(
        inner,
        allow_origins=(ANY,) if everybody else (),
        allow_origin_regex=None if everybody else ".*",
        # With everybody's pages no browser may send what it keeps for this server.
        allow_credentials=not everybody,
        allow_methods=("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
        allow_headers=("*",),
        expose_headers=("*",),
    )


def _checks(opened: Opened) -> dict[str, Callable[[], object]]:
    return {
        "database": lambda: opened.tracking.experiments.get(DEFAULT_EXPERIMENT),
        "artifacts": lambda: opened.artifacts.list("health"),
    }
