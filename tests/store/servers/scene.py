"""A store whose database is at a server, served over HTTP in a thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mlproj.server.app import create_app
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_served_store
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import served


class Scene(msgspec.Struct, frozen=True):
    """A store, and where it is served."""

    store: FolderStore
    address: str


@contextlib.contextmanager
def serving(uri: str, root: Path) -> Iterator[Scene]:
    """The store with the database at `uri`, served for the length of the `with`. A bug fails the test."""
    bugs: list[Exception] = []
    with contextlib.ExitStack() as stack:
        store = open_served_store(uri, root, create=True)
        stack.callback(store.close)
        tracking = open_tracking(store)
        stack.callback(tracking.close)
        files = FolderArtifacts(store.root, store.root / "uploads")
        app = create_app(tracking, files, proxied=True, store=store, unexpected=bugs.append)
        yield Scene(store, stack.enter_context(served(app)))
    assert not bugs
