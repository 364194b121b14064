"""Files that a tracking server keeps or hands on; where it does not, they are fetched from where they lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from mlproj.errors import DataError, MlprojError
from mlproj.model.encoding import is_text
from mlproj.moving_ports import MODELS, TRACES, Files
from mlproj.remote.answers import Files as Answer
from mlproj.remote.answers import read_answer
from mlproj.remote.connection import Away, Connection
from mlproj.remote.files import ServedPlace, listed_files, place_of_model, place_of_run
from mlproj.remote.history.files import PROXIED, files_at
from mlproj.remote.history.names import is_inside

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_TRACE = "/ajax-api/2.0/mlflow/get-trace-artifact"
_TRACE_FILE = "traces.json"
_DEEPEST = 50


def server_files(connection: Connection, kind: str, name: str, uri: str, proxied: str | None) -> Files:
    """The files of a thing. Raises DataError where nobody knows how to read them."""
    scheme = urlsplit(uri).scheme
    if kind == TRACES:
        return _ProxiedFiles(connection, uri) if scheme == PROXIED else _TraceFiles(connection, name)
    place = (place_of_model if kind == MODELS else place_of_run)(name, uri)
    if scheme in (PROXIED, "", "file"):
        return _ServedFiles(connection, place)
    return _ElseFar(_ServedFiles(connection, place), uri, proxied)


class _ServedFiles:
    """What the server lists for a run or a logged model."""

    def __init__(self, connection: Connection, place: ServedPlace) -> None:
        self._connection = connection
        self._place = place

    def listed(self) -> Iterator[tuple[str, int]]:
        with _as_data(f"the files at `{self._place.root}`"):
            for file in listed_files(self._connection, self._place):
                if is_text(file.path) and is_inside(file.path):
                    yield file.path, file.file_size

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        route, query = self._place.source(path)
        with _as_data(f"`{self._place.root}/{path}`"), self._connection.pieces(route, **query) as pieces:
            yield pieces


class _ProxiedFiles:
    """What lies at an address of the server's own: the files of a trace, which it lists for nobody else."""

    def __init__(self, connection: Connection, uri: str) -> None:
        self._connection = connection
        self._root = unquote(urlsplit(uri).path).strip("/")

    def listed(self) -> Iterator[tuple[str, int]]:
        with _as_data(f"the files at `{self._root}`"):
            yield from self._below("", 0)

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        where = f"{_PROXY}/{self._root}/{path}"
        with _as_data(f"`{self._root}/{path}`"), self._connection.pieces(where) as pieces:
            yield pieces

    def _below(self, folder: str, depth: int) -> Iterator[tuple[str, int]]:
        place = f"{self._root}/{folder}".rstrip("/")
        for file in read_answer(self._connection.get(_PROXY, path=place), Answer).files:
            path = f"{folder}/{PurePosixPath(file.path).name}".lstrip("/")
            if not file.is_dir:
                yield path, file.file_size
            elif depth < _DEEPEST:
                yield from self._below(path, depth + 1)


class _TraceFiles:
    """The one file of a trace that a server hands out which keeps no artifacts itself."""

    def __init__(self, connection: Connection, trace_id: str) -> None:
        self._connection = connection
        self._trace_id = trace_id

    def listed(self) -> Iterator[tuple[str, int]]:
        with self.read(_TRACE_FILE) as pieces:
            size = sum(map(len, pieces))
        yield _TRACE_FILE, size

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        asked = {"request_id": self._trace_id}
        with _as_data(f"the trace `{self._trace_id}`"), self._connection.pieces(_TRACE, **asked) as pieces:
            yield pieces


class _ElseFar:
    """Files that the server may hand on from elsewhere; if not, we go there ourselves."""

    def __init__(self, served: _ServedFiles, uri: str, proxied: str | None) -> None:
        self._served: Files = served
        self._uri = uri
        self._proxied = proxied

    def listed(self) -> Iterator[tuple[str, int]]:
        try:
            found = list(self._served.listed())
        except DataError:
            self._served = files_at(self._uri, self._proxied)
            found = list(self._served.listed())
        yield from found

    def read(self, path: str) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        return self._served.read(path)


@contextlib.contextmanager
def _as_data(what: str) -> Iterator[None]:
    """A refusal is about one thing; where nobody answers any more, it is about all of them."""
    try:
        yield
    except (Away, DataError):
        raise
    except MlprojError as error:
        raise DataError(f"{what} cannot be had: {error.message}", hint=error.hint) from error
