"""A server with users: one manages it, two others have things of their own, each comes in by a password."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

from mlproj import server_wiring, wiring
from mlproj.access_ports import Users
from mlproj.model.access import Level
from mlproj.server.app import create_app
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.server.calling import Caller, served
from tests.server.conftest import files_of

PASSWORDS = {"root": "the one of root", "ada": "the one of ada", "bob": "the one of bob"}


def basic(name: str, password: str) -> dict[str, str]:
    shown = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {shown}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Guarded:
    """The server, its store and its users; `caller` comes in as one of them."""

    def __init__(self, uri: str, store: FolderStore, users: Users, held: contextlib.ExitStack) -> None:
        self.uri = uri
        self.store = store
        self.users = users
        self._held = held

    def caller(self, name: str) -> Caller:
        return self.by(basic(name, PASSWORDS[name]))

    def by(self, headers: dict[str, str], below: str = "") -> Caller:
        caller = Caller(f"{self.uri}{below}", headers)
        self._held.callback(caller.close)
        return caller


@contextlib.contextmanager
def guarded(folder: Path, *, default: Level = Level.NONE) -> Iterator[Guarded]:
    bugs: list[Exception] = []
    with contextlib.ExitStack() as held:
        store = open_store(folder / "store", create=True)
        held.callback(store.close)
        users = server_wiring.users_of(store)
        held.callback(users.close)
        for name, password in PASSWORDS.items():
            users.accounts.add(name, password=password, admin=name == "root")
        tracking = wiring.tracking_of(store)
        held.callback(tracking.close)
        telling = server_wiring.telling_of(store, {}, private=True)
        held.callback(telling.close)
        app = create_app(
            tracking,
            files_of(store),
            proxied=True,
            store=store,
            hooks=telling.webhooks,
            unexpected=bugs.append,
        )
        entrance = server_wiring.entrance_for(store, app, default=default, unexpected=bugs.append)
        held.callback(entrance.close)
        uri = held.enter_context(served(entrance))
        yield Guarded(uri, store, users, held)
    assert not bugs
