"""A server that keeps whole runs, in this process, and a store at it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mlproj.remote.store.opening import open_far_store
from mlproj.remote.store.store import FarStore
from mlproj.server.access import Application
from mlproj.server.app import create_app
from mlproj.server.auth.entrance import OpenEntrance
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.blobs import FolderBlobs
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.store.users import open_users
from tests.server.calling import served

Entrance = Callable[[Application], Application]


@contextlib.contextmanager
def serving(
    root: Path, *, port: int = 0, entrance: Entrance | None = None
) -> Iterator[tuple[str, FolderStore]]:
    """The address of a server over the store in the folder `root`, and that store."""
    store = open_store(root, create=True)
    tracking = open_tracking(store)
    bugs: list[Exception] = []
    artifacts = FolderArtifacts(store.root, store.root / "uploads")
    app = create_app(tracking, artifacts, proxied=True, store=store, unexpected=bugs.append)
    try:
        with contextlib.closing(open_users(store)) as users:
            inner = OpenEntrance(users, app) if entrance is None else entrance(app)
            with served(inner, port) as uri:
                yield uri, store
    finally:
        tracking.close()
        store.close()
    assert not bugs


def far(uri: str, cache: Path, environ: Mapping[str, str] | None = None) -> FarStore:
    """The store at a server, for a user with that cache folder."""
    return open_far_store(uri, environ or {}, cache, FolderBlobs)


@contextlib.contextmanager
def far_store(path: Path) -> Iterator[FarStore]:
    with serving(path / "server") as (uri, _):
        yield far(uri, path / "cache")
