"""The objects below a URL, whatever serves them: the one place that knows fsspec.

In an object store a file is there once all of it has arrived, and has no folders above it; elsewhere it is
written aside and given its name then.
"""

from __future__ import annotations

import contextlib
import posixpath
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import fsspec
import msgspec
from fsspec.spec import AbstractBufferedFile

from mlproj.errors import StoreError
from mlproj.model.extras import brought_by
from mlproj.model.redaction import without_credentials

ASIDE = "incoming"
"""Below which what has no name yet lies."""
PIECE = 2 * 1024 * 1024
"""Bytes that are asked for at once."""
PART = 5 * 1024 * 1024
"""Bytes that are sent at once, and up to which an object is sent whole: the fewest that S3 takes, since on
their way there are four copies of them."""
_MOST_PARTS = 1000
"""Parts of an object before they grow with it: S3 takes ten thousand."""
_OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"))
_S3 = ("s3", "s3a")
_CONNECTIONS = 32
_PATIENCE = 120
"""Seconds in which an answer may begin: a server puts the parts of a large object together first."""
_CHANGED = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
"""Where the kinds of stores say when an object was written."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object: `changed` is in seconds since the epoch, by the clock over there."""

    key: str
    size: int
    changed: float


class Bucket:
    """What is below `url`. May be used from several threads. Everything raises StoreError where it cannot be
    done; nobody is asked anything when it is made."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        scheme = urlsplit(url).scheme
        self.shown = without_credentials(url)
        self._flat = scheme in _OBJECT_STORES
        try:
            self._system, root = fsspec.core.url_to_fs(url, **_options(scheme, environ))
        except (ImportError, ValueError) as error:
            hint = brought_by(scheme) if isinstance(error, ImportError) else None
            raise StoreError(f"contents cannot be kept at `{self.shown}`: {error}", hint=hint) from error
        self._root = root.rstrip("/")

    def find_one(self, key: str) -> Found | None:
        """The object; None where there is none."""
        try:
            with self._told("be looked at", passing=FileNotFoundError):
                info = self._system.info(self._path(key))
        except FileNotFoundError:
            return None
        return self._found(info) if info["type"] == "file" else None

    def find(self, folder: str) -> Iterator[Found]:
        """All objects whose keys are below `folder`."""
        try:
            with self._told("be listed", passing=FileNotFoundError):
                infos = self._system.find(self._path(folder), detail=True)
        except FileNotFoundError:
            return
        for info in infos.values():
            if info and info["type"] == "file":
                yield self._found(info)

    def folders(self, folder: str) -> tuple[str, ...]:
        """The names of the folders right in a folder, sorted."""
        try:
            with self._told("be listed", passing=FileNotFoundError):
                infos = self._system.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return ()
        names = (
            posixpath.basename(info["name"].rstrip("/")) for info in infos if info["type"] == "directory"
        )
        return tuple(sorted(names))

    def read(self, key: str, first: int, stop: int) -> Iterator[bytes]:
        """The bytes of an object from one place to another, in pieces. Raises FileNotFoundError."""
        while first < stop:
            end = min(first + PIECE, stop)
            with self._told("be read", passing=FileNotFoundError):
                piece: bytes = self._system.cat_file(self._path(key), start=first, end=end)
            if len(piece) != end - first:
                raise StoreError(f"`{self.shown}/{key}` is shorter than it was")
            yield piece
            first = end

    def put(self, key: str, content: bytes) -> None:
        """Writes a small object: it is there whole or not at all."""
        if self._flat:
            with self._told("be written"):
                self._system.pipe_file(self._path(key), content)
        else:
            self.send(key, iter((content,)))

    def send(self, key: str, pieces: Iterator[bytes]) -> int:
        """Writes an object of any size, whole or, where the pieces end in an exception, not at all; how many
        bytes it has."""
        if self._flat:
            return self._send(key, pieces)
        aside = new_key()
        size = self._send(aside, pieces)
        self.move(aside, key)
        return size

    def move(self, source: str, target: str) -> None:
        """Gives an object another key, without its bytes coming here."""
        old, new = self._path(source), self._path(target)
        with self._told("be written"):
            if self._flat:
                self._system.cp_file(old, new)
                self._system.rm_file(old)
            else:
                self._system.makedirs(posixpath.dirname(new), exist_ok=True)
                self._system.mv(old, new)

    def remove(self, key: str) -> None:
        """What is not there is removed already."""
        with contextlib.suppress(FileNotFoundError), self._told("be removed", passing=FileNotFoundError):
            self._system.rm_file(self._path(key))

    def _send(self, key: str, pieces: Iterator[bytes]) -> int:
        path, size = self._path(key), 0
        with self._told("be written"):
            if not self._flat:
                self._system.makedirs(posixpath.dirname(path), exist_ok=True)
            file = self._system.open(path, "wb", block_size=PART)
        try:
            for piece in pieces:
                with self._told("be written"):
                    file.write(piece)
                size += len(piece)
                if isinstance(file, AbstractBufferedFile):
                    file.blocksize = max(PART, size // _MOST_PARTS)
            with self._told("be written"):
                file.close()
        except BaseException:
            self._discard(file, path)
            raise
        return size

    def _discard(self, file: Any, path: str) -> None:
        """Leaves nothing of a file that was not written to its end."""
        with contextlib.suppress(Exception):
            if isinstance(file, AbstractBufferedFile):
                file.closed = True  # or it would be put in place when nobody holds it any more
                file.discard()
            else:
                file.close()
                self._system.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _found(self, info: Mapping[str, Any]) -> Found:
        told = next((info[name] for name in _CHANGED if info.get(name)), 0.0)
        key = str(info["name"]).removeprefix(self._root).lstrip("/")
        return Found(key=key, size=info["size"] or 0, changed=_seconds(told))

    @contextlib.contextmanager
    def _told(self, what: str, *, passing: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """Raises what goes wrong over there as a StoreError, but for what is `passing`."""
        try:
            yield
        except passing:
            raise
        except Exception as error:  # every kind of store has errors of its own
            reason = without_credentials(str(error).partition("\n")[0]) or type(error).__name__
            raise StoreError(
                f"the contents at `{self.shown}` cannot {what}: {reason}",
                hint="check the address, the network and the credentials",
            ) from error


def new_key() -> str:
    """A key for what has no name yet."""
    return f"{ASIDE}/{secrets.token_hex(16)}"


def _options(scheme: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What fsspec is to be told: remembered listings would tell of what is no longer so."""
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme in _S3:
        options["config_kwargs"] = {"max_pool_connections": _CONNECTIONS, "read_timeout": _PATIENCE}
        if endpoint := environ.get("MLFLOW_S3_ENDPOINT_URL"):
            options["endpoint_url"] = endpoint
        if environ.get("MLFLOW_S3_IGNORE_TLS", "").lower() in ("true", "1"):
            options["client_kwargs"] = {"verify": False}
    return options


def _seconds(told: object) -> float:
    if isinstance(told, str):
        told = datetime.fromisoformat(told.replace("Z", "+00:00"))
    if isinstance(told, datetime):
        return told.timestamp()
    return float(told) if isinstance(told, (int, float)) else 0.0
