"""Brings data that a `path` parameter names by URL to this machine, as MLflow does."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import fsspec

from mlproj.errors import DataError
from mlproj.model.events import Ended, Progress, Report, Started
from mlproj.model.extras import brought_by
from mlproj.model.redaction import without_credentials

CHUNK = 1 << 20
TIMEOUT = 60
URLLIB_SCHEMES = ("http", "https", "ftp")


def download(uri: str, folder: Path, report: Report) -> Path:
    """Downloads the file or folder at `uri` into `folder`, which is made; returns where it is.

    Raises DataError where it cannot be had, credentials left out of the message.
    """
    parts = urlsplit(uri)
    target = folder / (PurePosixPath(unquote(parts.path)).name or "data")
    folder.mkdir(parents=True, exist_ok=True)
    report(Started(stage="download", detail=without_credentials(uri)))
    try:
        if parts.scheme in URLLIB_SCHEMES:
            _by_urllib(uri, target, report)
        else:
            _by_fsspec(uri, target)
    except (OSError, ValueError, ImportError, urllib.error.URLError) as error:
        raise DataError(
            f"could not download `{without_credentials(uri)}`: {without_credentials(str(error))}",
            hint=_hint(parts.scheme, error),
        ) from error
    report(Ended(stage="download"))
    return target


def _by_urllib(uri: str, target: Path, report: Report) -> None:
    with urllib.request.urlopen(uri, timeout=TIMEOUT) as answer, target.open("wb") as file:
        length = answer.headers.get("Content-Length")
        done = 0
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            report(Progress(stage="download", done=done, total=int(length) if length else None, unit="bytes"))
        if length is not None and done != int(length):
            raise OSError(f"the server sent {done} of {length} bytes")


def _by_fsspec(uri: str, target: Path) -> None:
    if "://" not in uri:  # `runs:/…`: fsspec would take it for a local path
        raise ValueError(f"nothing here reads `{uri.partition(':')[0]}:` addresses")
    system, path = fsspec.core.url_to_fs(uri)
    if target.exists():
        shutil.rmtree(target)
    system.get(path, str(target), recursive=system.isdir(path))


def _hint(scheme: str, error: Exception) -> str:
    if isinstance(error, ImportError) and (hint := brought_by(scheme)):
        return hint
    if isinstance(error, ValueError):
        return "download it yourself and pass the file's path"
    return "check the address and the network, or pass a local path"
