"""The files that pages are made with: addressed by their content, so that a browser asks for each once."""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from mlproj.errors import NotFound
from mlproj.server.pages.safety import HEADERS

FOLDER = Path(__file__).with_name("static")

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER = "public, max-age=31536000, immutable"


def address(name: str) -> str:
    """The path of a file of this package."""
    return f"/static/{_digest(name)}/{name}"


async def asset(request: Request) -> Response:
    """A file of this package, whatever digest it is asked for by: an older page gets the newer file."""
    name = request.path_params["name"]
    if name not in _names():
        raise NotFound(f"there is no file `{name}`")
    headers = {**HEADERS, "vary": "accept-encoding"}
    headers["cache-control"] = _FOREVER if request.path_params["digest"] == _digest(name) else "no-cache"
    content = _content(name)
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = _packed(name), "gzip"
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in _TYPES)


@functools.cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@functools.cache
def _packed(name: str) -> bytes:
    return gzip.compress(_content(name), mtime=0)


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:16]
