"""The files of a run that a server holds: listed, and read once for their digests, but not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import MlprojError
from mlproj.model.digest import Digest
from mlproj.model.encoding import is_text
from mlproj.model.tracking import ServedFile, TrackedRun
from mlproj.remote.answers import Files, ListedFile, OneModel, read_answer
from mlproj.remote.connection import Away, Connection

_DEEPEST = 50
_MOST = 100_000
"""Files of a run. A server that lists more lists them in a circle."""


_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


class ServedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A tree of files below `root`: where it is listed and read, and under which name it is told of."""

    name: str
    root: str
    listing: str
    listed_by: str
    content: str
    read_by: str
    owner: str | None = None

    def source(self, path: str) -> tuple[str, dict[str, str | None]]:
        """Route and query of a file's content: the server hands on what is kept with it. For what is kept
        elsewhere it has a route that is made for its own page."""
        parts = urlsplit(self.root)
        if parts.scheme == "mlflow-artifacts":
            return f"{_PROXY}{unquote(parts.path).strip('/')}/{path}", {}
        return self.content, {self.read_by: path, "run_id": self.owner, "run_uuid": self.owner}


def served_files(
    connection: Connection, run: TrackedRun, *, most: int, altogether: int
) -> Iterator[ServedFile]:
    """The artifacts of a run, and those of the models that it logged. What is larger than `most` bytes, or
    would make more than `altogether`, is listed without a digest."""
    left = altogether
    for place in _places(connection, run):
        for file in listed_files(connection, place):
            path = f"{place.name}/{file.path}"
            if not is_text(path):
                continue
            digest, size = None, file.file_size
            if size <= min(most, left):
                digest, size = _digest(connection, place, file, min(most, left))
                left -= size
            yield ServedFile(path=path, size=size, digest=digest)


def _places(connection: Connection, run: TrackedRun) -> Iterator[ServedPlace]:
    yield place_of_run(run.run_id, run.artifact_uri)
    for model in run.model_outputs:
        found = read_answer(connection.get(f"logged-models/{model.model_id}"), OneModel)
        yield place_of_model(model.model_id, found.model.info.artifact_uri)


def place_of_run(run_id: str, root: str) -> ServedPlace:
    return ServedPlace(
        name="artifacts",
        root=root,
        listing="artifacts/list",
        listed_by="path",
        content="/get-artifact",
        read_by="path",
        owner=run_id,
    )


def place_of_model(model_id: str, root: str) -> ServedPlace:
    return ServedPlace(
        name=f"models/{model_id}",
        root=root,
        listing=f"logged-models/{model_id}/artifacts/directories",
        listed_by="artifact_directory_path",
        content=f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
        read_by="artifact_file_path",
    )


def listed_files(
    connection: Connection, place: ServedPlace, folder: str = "", depth: int = 0
) -> Iterator[ListedFile]:
    """Every file of a place, with its path below it."""
    token: str | None = None
    for _ in range(_MOST):
        query = {place.listed_by: folder or None, "page_token": token}
        answer = connection.get(place.listing, run_id=place.owner, run_uuid=place.owner, **query)
        page = read_answer(answer, Files)
        for file in page.files:
            if not file.is_dir:
                yield file
            elif depth < _DEEPEST:
                yield from listed_files(connection, place, file.path, depth + 1)
        token = page.next_page_token
        if not token:
            return


def _digest(
    connection: Connection, place: ServedPlace, file: ListedFile, most: int
) -> tuple[Digest | None, int]:
    """The digest and size of what the server sends; no digest where it sends none, or more than it said."""
    hasher, size = hashlib.sha256(), 0
    route, query = place.source(file.path)
    try:
        with connection.pieces(route, **query) as pieces:
            for piece in pieces:
                hasher.update(piece)
                size += len(piece)
                if size > most:
                    return None, max(size, file.file_size)
    except Away:
        raise
    except MlprojError:
        return None, file.file_size
    return Digest.from_hex(hasher.hexdigest()), size
