"""Files that MLflow kept as artifacts, in a folder or at an address that fsspec knows."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from mlproj.errors import DataError
from mlproj.model.encoding import is_text
from mlproj.moving_ports import Files
from mlproj.remote.history.names import is_inside

_PIECE = 1 << 20
_EXTRAS = {"s3": "s3", "gs": "gs", "abfs": "azure", "abfss": "azure", "wasbs": "azure"}
PROXIED = "mlflow-artifacts"
"""The scheme of addresses that mean a folder which only the server knows."""


def files_at(uri: str, proxied: str | None, beside: Path = Path()) -> Files:
    """The files at an address. `proxied` is what `mlflow-artifacts:` stands for, if anybody said so; what is
    relative is so to the folder `beside`. Raises DataError."""
    scheme = urlsplit(uri).scheme
    if scheme == PROXIED:
        if proxied is None:
            raise DataError(
                f"`{uri}` is in a folder that only its server knows",
                hint="say which with `--artifacts-destination`, as it is said to `mlflow server`",
            )
        return files_at(f"{proxied.rstrip('/')}/{unquote(urlsplit(uri).path).strip('/')}", None, beside)
    if scheme in ("", "file"):
        path = unquote(urlsplit(uri).path) if scheme else uri
        return FolderFiles(beside / path)
    return FarFiles(uri)


class FolderFiles:
    """The port `Files` over a folder of this machine. A link leads elsewhere, and is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listed(self) -> Iterator[tuple[str, int]]:
        for inside, folders, names in os.walk(self._folder, onerror=_fail):
            folders.sort()
            for name in sorted(names):
                path = Path(inside, name)
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield path.relative_to(self._folder).as_posix(), found.st_size

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        try:
            with (self._folder / path).open("rb") as file:
                yield iter(lambda: file.read(_PIECE), b"")
        except OSError as error:
            raise DataError(f"`{self._folder / path}` cannot be read: {error.strerror or error}") from error


class FarFiles:
    """The port `Files` over an address such as `s3://bucket/folder`, by what fsspec has for it."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def listed(self) -> Iterator[tuple[str, int]]:
        with _explained(self._uri):
            system, root = self._system()
            found = system.find(root, detail=True) if system.exists(root) else {}
        for path in sorted(found):
            inside = path[len(root.rstrip("/")) :].lstrip("/")
            if is_text(inside) and is_inside(inside):
                yield inside, int(found[path].get("size") or 0)

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        with _explained(f"{self._uri}/{path}"):
            system, root = self._system()
            with system.open(f"{root.rstrip('/')}/{path}", "rb") as file:
                yield iter(lambda: file.read(_PIECE), b"")

    def _system(self) -> tuple[Any, str]:
        system, root = fsspec.core.url_to_fs(self._uri)
        return system, str(root)


@contextlib.contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Turns what drivers of other places raise, which is anything, into a sentence."""
    try:
        yield
    except ImportError as error:
        extra = _EXTRAS.get(urlsplit(uri).scheme)
        hint = None if extra is None else f"install it: `pip install 'mlproj[{extra}]'`"
        raise DataError(f"`{uri}` takes a package that is not installed: {error}", hint=hint) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"`{uri}` cannot be read: {error}") from error


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise DataError(f"`{error.filename}` cannot be read: {error.strerror}") from error
