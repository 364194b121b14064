"""The places in which contents and artifacts may lie, each as its contract has it made."""

from __future__ import annotations

from pathlib import Path

from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.s3_server import S3Server

PLACES = ("folder", "another folder", "s3")


def store_at(place: str, path: Path, server: S3Server) -> FolderStore:
    """A new store below `path`, whose contents lie at such a place."""
    destination = {"another folder": str(path / "contents"), "s3": server.bucket()}.get(place)
    return open_store(path / ".mlproj", create=True, destination=destination)
