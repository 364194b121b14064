"""The model registry of a server, ours or MLflow's, in the words of its REST API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import AlreadyThere, MlprojError, NotFound, NotPromoted, StoreError
from mlproj.model.registry import Origin
from mlproj.remote.answers import OneModel, read_answer
from mlproj.remote.connection import Connection, Manner, Stranger
from mlproj.remote.credentials import Credentials
from mlproj.remote.fetching import address_of, lists

T = TypeVar("T")

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_OURS = "/api/2.0/mlproj/"
_LOGGED = re.compile(r"/models/(?P<model_id>m-[\w\-]+)/artifacts", re.ASCII)
_KNOWN: Mapping[str, type[MlprojError]] = {
    "RESOURCE_ALREADY_EXISTS": AlreadyThere,
    "INVALID_STATE": NotPromoted,
}
_PIECE = 1 << 20


def _known(data: bytes) -> MlprojError | None:
    try:
        document = json.loads(data)
        kind = _KNOWN.get(document["error_code"])
        return None if kind is None else kind(str(document["message"]))
    except (ValueError, KeyError, TypeError):
        return None


class FarRegistrar:
    """At the server at `uri`."""

    def __init__(self, uri: str, credentials: Credentials, environ: Mapping[str, str]) -> None:
        self._connection = Connection(uri, credentials, environ, manner=Manner(known=_known))

    def ask(self, method: str, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        """What a route answers. Raises StoreError, NotFound, UsageError, NotPromoted."""
        fields = {name: value for name, value in msgspec.to_builtins(asked).items() if value is not None}
        where = f"/api/{path}" if path.startswith("2.0/mlproj/") else path.removeprefix("2.0/mlflow/")
        try:
            answer = self._answer(method, where, fields)
        except Stranger as error:
            if not where.startswith(_OURS):
                raise
            raise StoreError(
                "the server keeps no history and no rules of models, and no webhooks of ours",
                hint="a server that `mlproj server` started does",
            ) from error
        return read_answer(answer, kind)

    def _answer(self, method: str, where: str, fields: dict[str, Any]) -> Any:
        if method == "GET":
            return self._connection.get(where, **{name: _spelt(value) for name, value in fields.items()})
        body = json.dumps(fields).encode()
        return json.loads(self._connection.send(method, where, body, "application/json") or b"{}")

    def origin(self, uri: str) -> Origin:
        """Where the files are that a `runs:/` names, as the server has it. Raises NotFound."""
        address = address_of(self._connection, uri)
        run_id, _, path = urlsplit(uri).path.strip("/").partition("/")
        logged = _LOGGED.search(address)
        if logged is None and path and not lists(self._connection, run_id, path):
            raise NotFound(
                f"the run `{run_id}` left no `{path}` at the server",
                hint="`mlproj artifacts` lists what it left, or MLflow's page",
            )
        return Origin(
            source=address, run_id=run_id, model_id=None if logged is None else unquote(logged["model_id"])
        )

    def keep(self, folder: Path, name: str) -> Origin:
        """Uploads a model that is of no run. Raises StoreError where the server takes no files."""
        made = read_answer(
            self._connection.post("logged-models", experiment_id="0", name=name), OneModel
        ).model.info
        address = urlsplit(made.artifact_uri)
        if address.scheme != "mlflow-artifacts":
            raise StoreError(
                f"the server has its clients write files to `{address.scheme or 'a folder'}` themselves",
                hint="save the model there, and name its address",
            )
        place = unquote(address.path).strip("/")
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = f"{_PROXY}/{place}/{file.relative_to(folder).as_posix()}"
            self._connection.send("PUT", target, _pieces(file), "application/octet-stream")
        self._connection.send(
            "PATCH",
            f"logged-models/{made.model_id}",
            json.dumps({"model_id": made.model_id, "status": "LOGGED_MODEL_READY"}).encode(),
            "application/json",
        )
        return Origin(source=f"models:/{made.model_id}", model_id=made.model_id)

    def close(self) -> None:
        """Nothing is held open."""


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while piece := content.read(_PIECE):
            yield piece


def _spelt(value: Any) -> str | list[str]:
    return [str(each) for each in value] if isinstance(value, (list, tuple)) else str(value)
