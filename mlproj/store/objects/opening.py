"""The entrance to artifacts: files in the store's folder, or rows where its contents lie elsewhere."""

from __future__ import annotations

import importlib
from typing import cast

from mlproj.artifact_ports import Artifacts
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.contained import StreamedBlobs
from mlproj.store.destination import destination_of
from mlproj.store.folder import FolderStore
from mlproj.store.uploads import UPLOADS


def open_artifacts(store: FolderStore) -> Artifacts:
    """The files that clients log to the runs of a store, which stays open as long."""
    aside = store.root / UPLOADS
    files = FolderArtifacts(store.root, aside)
    if destination_of(store.connection) is None:
        return files
    # SQLAlchemy is for those who have rows.
    database = importlib.import_module("mlproj.store.tracking.engine").Database(store)
    as_rows = importlib.import_module("mlproj.store.objects.artifacts").StoredArtifacts
    # Contents that lie at a destination can be streamed.
    artifacts: Artifacts = as_rows(database, cast(StreamedBlobs, store.blobs), store.lease, files, aside)
    return artifacts
