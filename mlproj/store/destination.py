"""Where a store's contents lie: in its own folder, in another, or at the URL of an object store.

It is chosen when a store is made, and the database remembers it, so that everything which opens the store
finds them.
"""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mlproj.errors import StoreError, UsageError
from mlproj.model.redaction import without_credentials
from mlproj.settings import limits
from mlproj.store.blobs import FolderBlobs
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import transaction

if TYPE_CHECKING:
    from mlproj.store.contained import StreamedBlobs

HERE = "here"
"""What the database of a copy says, whose contents came with it into its own folder."""
_KNOWN = "SELECT url FROM destinations WHERE id = 1"
_NEW = "INSERT INTO destinations (id, url, mark) VALUES (1, ?, ?)"
_SCHEMES = ("file", "local")


def destination_of(connection: Connection) -> str | None:
    """The URL at which the contents are; None where they are files in the store's folder."""
    row = connection.execute(_KNOWN).fetchone()
    return None if row is None else str(row[0])


def lies_elsewhere(connection: Connection) -> bool:
    """Whether the contents are not in the store's own folder."""
    return destination_of(connection) not in (None, HERE)


def choose(connection: Connection, root: Path, wanted: str, environ: Mapping[str, str]) -> None:
    """Has a new store at `root` keep its contents at `wanted`, a URL or a folder.

    Does nothing where it does. Raises StoreError where it has contents elsewhere, where nothing can be
    written there, and where another store's contents are.
    """
    url = url_of(wanted)
    known = destination_of(connection)
    if known == url:
        return
    if known is not None or _has_contents(connection, root):
        where = f"at `{known}`" if lies_elsewhere(connection) else "in its own folder"
        raise StoreError(
            f"the store `{root}` keeps its contents {where}, not at `{url}`",
            hint="`mlproj store move-contents` has them there, while no server is running",
        )
    mark = secrets.token_hex(16)
    with transaction(connection):
        connection.execute(_NEW, (url, mark))
        streamed_blobs(url, root, environ).claim(mark)


def remember_here(connection: Connection) -> None:
    """Has the database of a copy say that its contents came with it."""
    connection.execute("UPDATE destinations SET url = ?", (HERE,))


def stored_blobs(connection: Connection, root: Path) -> KeptBlobs:
    """The contents of the store at `root`, wherever they lie. Nobody is asked anything yet."""
    url = destination_of(connection)
    return FolderBlobs(root / "blobs") if url is None else streamed_blobs(url, root, os.environ)


def streamed_blobs(url: str, root: Path, environ: Mapping[str, str]) -> StreamedBlobs:
    """The contents at a URL. What is loaded for one, no store with a folder of its own needs."""
    if url == HERE or urlsplit(url).scheme in _SCHEMES:
        folder = root if url == HERE else Path(unquote(urlsplit(url).path))
        local: StreamedBlobs = _part("local:LocalBlobs")(folder / "blobs")
        return local
    far: StreamedBlobs = _part("blobs:ObjectBlobs")(
        root / "blobs", lambda: _part("bucket:Bucket")(url, environ), limits(environ).fetched
    )
    return far


def url_of(wanted: str) -> str:
    """The one way in which a place is written down. Raises UsageError for one with credentials."""
    if "://" not in wanted and not wanted.startswith("file:"):
        return Path(os.path.abspath(Path(wanted).expanduser())).as_uri()
    parts = urlsplit(wanted)
    # A name alone is no secret: Azure's addresses have the container there.
    anonymous = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if parts.password is not None or without_credentials(anonymous) != anonymous:
        raise UsageError(
            f"`{without_credentials(wanted)}` was given with credentials, which would be written down",
            hint="give them as the variables or files that the library for it reads, such as `AWS_PROFILE`",
        )
    if parts.scheme in _SCHEMES:
        return Path(os.path.abspath(unquote(parts.path))).as_uri()
    return wanted.rstrip("/")


def _has_contents(connection: Connection, root: Path) -> bool:
    run = connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone()
    return run is not None or next(FolderBlobs(root / "blobs").digests(), None) is not None


def _part(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"mlproj.store.objects.{module}"), attribute)
