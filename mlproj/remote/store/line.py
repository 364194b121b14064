"""What is asked of a server that keeps whole runs, and its answers and errors as nouns of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from mlproj.errors import MlprojError, StoreError
from mlproj.model.digest import Digest
from mlproj.model.redaction import STORE_TOKEN
from mlproj.remote.connection import Connection, Manner
from mlproj.remote.credentials import Credentials, read_credentials
from mlproj.remote.store.relay import Relay
from mlproj.store_wire import (
    BELOW,
    FETCH,
    KINDS,
    MESSAGEPACK,
    PART,
    SEND,
    Asked,
    Blobs,
    Question,
    decoded,
    encoded,
)

_BYTES = "application/octet-stream"


class _Error(msgspec.Struct, frozen=True):
    message: str
    kind: str | None = None
    hint: str | None = None


class Line:
    """To the server at `uri`. May be used from several threads."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        manner = Manner(
            called="store",
            let_in=f"set `{STORE_TOKEN}` to a token of that server (`mlproj tokens create` makes one), or"
            " `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`",
            address="give the address of a server that `mlproj server` started",
            known=_known,
            strange=("ENDPOINT_NOT_FOUND",),
        )
        parts = urlsplit(uri)
        self.base = parts._replace(
            netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/"), query="", fragment=""
        ).geturl()
        """The address without credentials."""
        self._connection = Connection(uri, _credentials(uri, environ), environ, manner=manner)

    def relay(self, prefix: str) -> Relay:
        """What hands requests on to the server, below that path."""
        return Relay(self._connection, prefix)

    def ask(self, question: Question, asked: Asked) -> Any:
        """The answer. Raises StoreError (Away where nobody answers), and whatever the server tells."""
        try:
            body = encoded(asked)
        except (ValueError, OverflowError) as error:
            raise StoreError(f"what was to be recorded cannot be: {error}") from error
        answer = self._connection.send("POST", f"/api/{question.path}", body, MESSAGEPACK)
        return self._read(answer, question.answer)

    def _read(self, answer: bytes, kind: Any) -> Any:
        try:
            return decoded(answer, kind)
        except ValueError as error:
            raise StoreError(f"the store answers what nobody expects: {error}") from error

    def send(self, pieces: bytes | Iterator[bytes], size: int | None = None) -> None:
        """Sends contents, as `packing` has them in a stream, of so many bytes where they come in pieces."""
        self._connection.send("PUT", f"/api/{BELOW}/{SEND}", pieces, _BYTES, size)

    def send_part(self, digest: Digest, upload: str, number: int, piece: bytes) -> str:
        """Sends a part of a content; returns what names it at the end."""
        path = PART.format(digest=digest.hex, upload=upload, number=number)
        answer = self._connection.send("PUT", f"/api/{BELOW}/{path}", piece, _BYTES)
        tag: str = self._read(answer, str)
        return tag

    @contextlib.contextmanager
    def fetched(self, digests: Collection[Digest], runs: Collection[str]) -> Iterator[Iterator[bytes]]:
        """Such a stream of those of the contents that the server has and lets us have."""
        body = encoded(Blobs(digests=tuple(digests), runs=tuple(runs)))
        with self._connection.sent(f"/api/{BELOW}/{FETCH}", body, MESSAGEPACK) as pieces:
            yield pieces


def _known(data: bytes) -> MlprojError | None:
    """An error in terms of ours; None where it is in others."""
    try:
        error = msgspec.json.decode(data, type=_Error)
    except msgspec.DecodeError:
        return None
    kind = KINDS.get(error.kind or "")
    return None if kind is None else kind(error.message, hint=error.hint)


def _credentials(uri: str, environ: Mapping[str, str]) -> Credentials:
    """As for a tracking server, but a token of a store's own comes first, and before all what stands in the
    address."""
    found = read_credentials(uri, environ)
    parts = urlsplit(uri)
    token = environ.get(STORE_TOKEN)
    if parts.username is not None:
        named = {
            "MLFLOW_TRACKING_USERNAME": unquote(parts.username),
            "MLFLOW_TRACKING_PASSWORD": unquote(parts.password or ""),
        }
        return msgspec.structs.replace(
            found, authorization=read_credentials(uri, {**environ, **named}).authorization
        )
    return msgspec.structs.replace(found, authorization=f"Bearer {token}") if token else found
