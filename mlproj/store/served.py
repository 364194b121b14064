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
"""The folder of what goes with a database that is elsewhere, where nobody names another."""

_SQLITE = "sqlite:///"


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A store in `folder` (None for the one that every command uses); with `database`, the URI of a server's,
    or `file`, one of SQLite's, that is elsewhere, and with `contents`, a folder or a URL, so are they."""

    folder: str | None
    file: str | None = None
    database: str | None = None
    contents: str | None = None


def chosen(backend_uri: str | None, destination: str | None, directory: Path) -> Chosen:
    """The store that these options mean, relative to `directory`. Raises StoreError for what can be none."""
    folder: str | None
    scheme = re.match(r"([\w+.\-]+)://", backend_uri or "")
    if backend_uri is not None and scheme is not None and scheme[1] != "file":
        file = _of_sqlite(backend_uri, directory) if scheme[1].startswith("sqlite") else None
        if file is not None and file.name == FILE:
            return Chosen(folder=str(file.parent), contents=destination)
        beside, contents = _beside(destination)
        folder = os.path.abspath(directory / beside)
        if file is not None:
            return Chosen(folder=folder, file=str(file), contents=contents)
        return Chosen(folder=folder, database=backend_uri, contents=contents)
    folder = None if backend_uri is None else os.path.abspath(directory / _folder(backend_uri))
    return Chosen(folder=folder, contents=destination)


def _beside(destination: str | None) -> tuple[str, str | None]:
    """The folder of what goes with a database elsewhere, and where contents are that are not in it."""
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


def _of_sqlite(uri: str, directory: Path) -> Path:
    """The file that the URI names. Raises StoreError where it is MLflow's, or none."""
    named = uri.partition("?")[0].removeprefix(_SQLITE)
    path = Path(os.path.abspath(directory / named))
    if not uri.startswith(_SQLITE) or not named or path.is_dir():
        raise StoreError(
            f"`{uri}` names no file for a database", hint="such as `sqlite:///runs.db`, or a store's folder"
        )
    if path.name != FILE and _is_of_mlflow(path):
        raise StoreError(
            f"`{path}` is a database of MLflow's",
            hint=f"`mlproj import-mlflow {uri}` brings over what it holds",
        )
    return path


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
