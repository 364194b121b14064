"""What a web server tells of a file without sending it."""

from __future__ import annotations

import http.client
import urllib.request
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from mlproj.errors import MlprojError
from mlproj.model.digest import Digest, readable
from mlproj.model.events import silent
from mlproj.model.provenance import InputState
from mlproj.model.redaction import without_credentials
from mlproj.ports import ObservedInput
from mlproj.provenance.data import observed_data

_TOLD = ("ETag", "Last-Modified", "Content-Length", "Content-MD5", "x-amz-version-id", "x-goog-generation")


def observed_remote(name: str, uri: str, cache: Path, timeout: float) -> ObservedInput:
    """The state of an http(s) URI by its headers, of a `file://` one by its content; else nothing is told.

    Never raises: where nobody answers the state is empty.
    """
    told: tuple[tuple[str, str], ...] = ()
    digest: Digest | None = None
    size, files = 0, 1
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https"):
            told = _headers(parts, timeout)
            length = dict(told).get("Content-Length", "")
            size = int(length) if length.isdecimal() else 0
        elif parts.scheme == "file" and parts.netloc in ("", "localhost"):
            path = Path(unquote(parts.path))
            state = observed_data(name, path, path, declared=True, cache=cache, report=silent).state
            digest, size, files = state.digest, state.size, state.files
    except (MlprojError, OSError, http.client.HTTPException, ValueError):
        pass
    state = InputState(
        name=readable(name),
        path=readable(without_credentials(uri)),
        kind="uri",
        digest=digest,
        size=size,
        files=files,
        remote=told,
    )
    return ObservedInput(state=state)


def _headers(parts: SplitResult, timeout: float) -> tuple[tuple[str, str], ...]:
    # credentials are not ours to send here: a server that wants them tells nothing
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    request = urllib.request.Request(bare, method="HEAD", headers={"User-Agent": "mlproj"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return tuple((key, answer.headers[key]) for key in _TOLD if answer.headers[key])
