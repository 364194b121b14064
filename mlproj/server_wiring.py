"""Which parts a server for many is made of, beside the store that it serves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlproj.access_ports import Users
from mlproj.model.access import Level
from mlproj.model.moment import now
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from mlproj.wiring import current_folder, observer, open_store, part, tracking_of

if TYPE_CHECKING:
    from mlproj.lineage_ports import Contents
    from mlproj.model.lineage import Lineage
    from mlproj.server.access import Application
    from mlproj.server.auth.entrance import Entrance, OpenEntrance
    from mlproj.server.described import Described
    from mlproj.services.telling import Telling


def users_of(store: RunStore) -> Users:
    """Who may use a server over the store."""
    users: Users = part("store.users:open_users")(store)
    return users


def users_at(store: str | None, *, create: bool = False) -> tuple[Users, Tracking]:
    """Who may use a server over the store, made if need be and `create` says so, and what there is to use.
    Raises StoreError."""
    opened = open_store(os.environ, current_folder(), store, create=create)
    return users_of(opened), tracking_of(opened)


def entrance_for(
    store: RunStore,
    app: Application,
    *,
    default: Level = Level.NONE,
    unexpected: Callable[[Exception], None] = lambda error: None,
) -> Entrance:
    """The door of a server that asks who calls; what nobody said anything of is at the level `default`.

    Once it is called the process is not forked. `unexpected` hears of what could not be written down.
    """
    entrance: Entrance = part("server.auth.entrance:Entrance")(
        users_of(store), app, default=default, unexpected=unexpected
    )
    return entrance


def open_entrance_for(store: RunStore, app: Application) -> OpenEntrance:
    """The door of a server that asks nobody, but for the tokens of runs, which stand in the path."""
    entrance: OpenEntrance = part("server.auth.entrance:OpenEntrance")(users_of(store), app)
    return entrance


def telling_of(store: RunStore, environ: Mapping[str, str], *, private: bool = False) -> Telling:
    """Whom what happens in a store on this machine is told to; `private` addresses too where a person said
    so. Raises UsageError for variables that say nothing."""
    rules = part("spec.webhook_rules:read_rules")(environ, private=private)
    key = environ.get(part("spec.webhook_rules:KEY_VARIABLE"))
    told: Telling = part("services.telling:Telling")(
        part("store.webhooks.opening:open_webhooks")(store, key),
        # What sends is loaded when something is sent: most servers have no webhooks.
        cache(lambda: part("remote.webhooks.sending:GuardedSender")(rules)),
        rules,
        now,
    )
    return told


def add_pages(app: Described, environ: Mapping[str, str]) -> None:
    """Has a server's application show its pages, too."""

    def lineage(store: RunStore, contents: Contents, of: str, depth: int) -> Lineage:
        looking = {"observer": observer(environ), "caller": Path("/"), "contents": contents}
        found: Lineage = part("services.lineage:lineage")(store, of, depth=depth, **looking)
        return found

    verbs = part("server.pages.visit:Verbs")(
        lineage=lineage,
        difference=lambda blobs, *runs: part("services.diff:difference_by")(blobs, *runs),
    )
    part("server.pages.adding:add")(app, verbs)
