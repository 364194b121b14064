"""A store with a run that goes on, its endpoint, and a server without tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.run import Run
from mlproj.server.app import create_app
from mlproj.server.endpoint import Endpoint
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.mlflow_clients import auth_packages, client_python
from tests.server.calling import Caller, calling, served
from tests.store.runs import begun

__all__ = ["auth_packages", "client_python"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    store = open_store(tmp_path / "store", create=True)
    yield store
    store.close()


@pytest.fixture
def run(store: FolderStore) -> Iterator[Run]:
    """A run whose process goes on."""
    run = begun(store.blobs)
    with store.begin(run):
        yield run


@pytest.fixture
def endpoint(store: FolderStore, run: Run) -> Iterator[Endpoint]:
    bugs: list[Exception] = []
    with Endpoint(
        run.run_id, lambda: open_tracking(store), lambda: files_of(store), unexpected=bugs.append
    ) as endpoint:
        yield endpoint
    assert not bugs


@pytest.fixture
def script(endpoint: Endpoint) -> Iterator[Caller]:
    """What the run's script is."""
    with calling(endpoint.uri) as caller:
        yield caller


@pytest.fixture
def anyone(store: FolderStore) -> Iterator[Caller]:
    """A caller of a server without tokens, through which artifacts go."""
    bugs: list[Exception] = []
    tracking = open_tracking(store)
    app = create_app(tracking, files_of(store), proxied=True, unexpected=bugs.append)
    with served(app) as uri, calling(uri) as caller:
        yield caller
    tracking.close()
    assert not bugs


def files_of(store: FolderStore) -> FolderArtifacts:
    return FolderArtifacts(store.root, store.root / "uploads")
