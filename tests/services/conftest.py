"""A store with one run in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.model.run import Run
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import begun, ended


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


@pytest.fixture
def run(store: FolderStore) -> Run:
    run = begun(store.blobs)
    with store.begin(run):
        return store.seal(ended(store.blobs, run))
