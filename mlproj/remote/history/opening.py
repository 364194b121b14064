"""Tells what a source of history is by how it is spelt, and opens it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.errors import UsageError
from mlproj.model.redaction import without_credentials
from mlproj.moving_ports import History

_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql")
_DATABASE_FILE = re.compile(r".*\.(db|sqlite3?)", re.IGNORECASE)
_BESIDE = "mlartifacts"
"""Where MLflow's server keeps artifacts that it was told no place for."""


def open_history(
    source: str, environ: Mapping[str, str], directory: Path, *, artifacts: str | None
) -> History:
    """The history at `source`; paths are relative to `directory`. Raises UsageError for what is no source,
    StoreError for one that cannot be read."""
    scheme = urlsplit(source).scheme
    if scheme in ("http", "https"):
        served: History = _part("server", "ServerHistory")(source, environ, proxied=artifacts)
        return served
    if scheme.partition("+")[0] in _DATABASES:
        return _database(source, directory, artifacts)
    if scheme not in ("", "file"):
        raise UsageError(
            f"`{without_credentials(source)}` is no place that MLflow keeps a history in",
            hint="give a server's address, a database's URI (`sqlite:///mlflow.db`), or an `mlruns` folder",
        )
    path = directory / (unquote(urlsplit(source).path) if scheme else source)
    if path.is_file() and _DATABASE_FILE.fullmatch(path.name):
        return _database(f"sqlite:///{path}", directory, artifacts)
    if not path.is_dir():
        raise UsageError(f"there is no folder `{path}`")
    inner = path / "mlruns"
    folder = inner if inner.is_dir() and not (path / "0").is_dir() else path
    kept: History = _part("folder", "FolderHistory")(folder, proxied=artifacts or _beside(folder))
    return kept


def _database(uri: str, directory: Path, artifacts: str | None) -> History:
    guessed = None
    if uri.startswith("sqlite:///"):
        path = directory / uri[len("sqlite:///") :].partition("?")[0]
        if not path.is_file():
            raise UsageError(f"there is no file `{path}`")
        uri, guessed, directory = f"sqlite:///{path}", _beside(path), path.parent
    open_database = _part("database", "DatabaseHistory")
    history: History = open_database(uri, proxied=artifacts or guessed, beside=directory)
    return history


def _beside(path: Path) -> str | None:
    """The folder of artifacts that a server made where it was started, beside its history."""
    folder = path.parent / _BESIDE
    return str(folder) if folder.is_dir() else None


def _part(module: str, name: str) -> type:
    """What reads one kind of source: the toolkits of the others need not be loaded."""
    found: type = getattr(importlib.import_module(f"mlproj.remote.history.{module}"), name)
    return found
