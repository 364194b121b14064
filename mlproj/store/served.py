"""Which store a server serves, as its options name it: a folder, or a database and a folder beside it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import StoreError
from mlproj.model.redaction import without_credentials
from mlproj.store.database import FILE

BESIDE = "mlproj-server"
"""The folder of what goes with a database at a server, where nobody names another."""

_SQLITE = "sqlite:///"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A store in `folder` (None for the one that every command uses); with `database`, the URI of a server's,
    that is elsewhere, and with `contents`, a folder or a URL, so are they."""

    folder: str | None
    database: str | None = None
    contents: str | None = None


def chosen(backend_uri: str | None, destination: str | None, directory: Path) -> Chosen:
    """The store that these options mean, relative to `directory`. Raises StoreError for what can be none."""
    folder: str | None
    scheme = re.match(r"([\w+.\-]+)://", backend_uri or "")
    if backend_uri is not None and scheme is not None and scheme[1] != "file":
        if not scheme[1].startswith("sqlite"):
            beside, contents = _beside(destination)
            folder = os.path.abspath(directory / beside)
            return Chosen(folder=folder, database=backend_uri, contents=contents)
        folder = _of_sqlite(backend_uri, directory)
    else:
        folder = None if backend_uri is None else os.path.abspath(directory / _folder(backend_uri))
    return Chosen(folder=folder, contents=destination)


def _beside(destination: str | None) -> tuple[str, str | None]:
    """The folder of what goes with a database at a server, and where contents are that are not in it."""
    if destination is None:
        return BESIDE, None
    if "://" in destination and urlsplit(destination).scheme != "file":
        return BESIDE, destination
    return _folder(destination), None


def _folder(place: str) -> str:
    """A folder by its path or its `file:` URI. Raises StoreError for any other URI."""
    if "://" not in place:
        return os.path.expanduser(place)
    split = urlsplit(place)
    if split.scheme != "file" or split.netloc not in ("", "localhost"):
        raise StoreError(f"files cannot be kept at `{without_credentials(place)}`", hint="name a folder")
    return unquote(split.path)


def _of_sqlite(uri: str, directory: Path) -> str:
    """The folder of the store whose database the URI names. Raises StoreError where it is another's."""
    path = directory / uri.partition("?")[0].removeprefix(_SQLITE)
    if path.name != FILE and _is_of_mlflow(path):
        raise StoreError(
            f"`{path}` is a database of MLflow's",
            hint=f"`mlproj import-mlflow {uri}` brings over what it holds",
        )
    if not uri.startswith(_SQLITE) or path.name != FILE:
        raise StoreError(
            f"`{uri}` is not the database of a store, which is `{FILE}` in the store's folder",
            hint="name the folder, or leave `--backend-store-uri` out; what MLflow kept comes along with"
            " `mlproj import-mlflow`",
        )
    return os.path.abspath(path.parent)


def _is_of_mlflow(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as connection:
            connection.execute("SELECT run_uuid FROM runs LIMIT 1")
    except sqlite3.Error:
        return False
    return True
