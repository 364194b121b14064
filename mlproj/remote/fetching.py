"""Brings data here that is named by where a server tracks it: `runs:/<id>/…`, or `mlflow-artifacts:/…`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlproj.errors import DataError, MlprojError
from mlproj.remote.answers import Files, read_answer, run_of
from mlproj.remote.connection import Connection

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_DEEPEST = 50


def address_of(connection: Connection, uri: str) -> str:
    """Where the artifact is that `uri` names: below the folder of artifacts of its run."""
    parts = urlsplit(uri)
    if parts.scheme != "runs":
        return uri
    run_id, _, path = parts.path.strip("/").partition("/")
    run = run_of(connection.get("runs/get", run_id=run_id, run_uuid=run_id))
    return f"{run.artifact_uri.rstrip('/')}/{path}".rstrip("/")


def fetch(connection: Connection, address: str, folder: Path) -> Path:
    """Brings the file or folder at an `mlflow-artifacts:` address into `folder`; returns where it is.

    Raises DataError for what the server does not hold, StoreError where it does not answer.
    """
    place = unquote(urlsplit(address).path).strip("/")
    target = folder / (PurePosixPath(place).name or "artifacts")
    files = tuple(_files(connection, place, "", 0))
    for path in files or ("",):
        inside = PurePosixPath(path)
        if inside.is_absolute() or ".." in inside.parts:
            raise DataError(f"the tracking server names a file that leads out of its folder: `{path}`")
        file = target / inside if path else target
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                connection.pieces(f"{_PROXY}/{place}/{path}".rstrip("/")) as pieces,
                file.open("wb") as written,
            ):
                written.writelines(pieces)
        except MlprojError as error:
            raise DataError(f"could not download `{address}`: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise DataError(f"`{file}` cannot be written: {error.strerror}") from error
    return target


def _files(connection: Connection, place: str, folder: str, depth: int) -> Iterator[str]:
    """The paths of all files in a folder, relative to `place`; none for a file."""
    listed = read_answer(connection.get(_PROXY, path=f"{place}/{folder}".rstrip("/")), Files)
    for file in listed.files:
        path = f"{folder}/{PurePosixPath(file.path).name}".lstrip("/")
        if not file.is_dir:
            yield path
        elif depth < _DEEPEST:
            yield from _files(connection, place, path, depth + 1)
