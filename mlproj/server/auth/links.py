"""Addresses that let in by themselves, for one request and a short time: clients move the bytes of artifacts
by such, and show no password there.

    /l/<who signed it>/<when it ends>/<signature>/api/2.0/mlflow-artifacts/…
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from urllib.parse import quote

from mlproj.server.auth.gate import Identity
from mlproj.server.failures import UNKNOWN_CALLER, Failure

LASTS_S = 3600
_LINK = re.compile(r"/l/(?P<signer>[^/]+)/(?P<end>\d{1,12})/(?P<mark>[0-9a-f]{64})(?P<path>/.*)", re.DOTALL)


def signed(identity: Identity, method: str, path: str, *, now: Callable[[], float] = time.time) -> str:
    """The path of a link by which this one request can be made: as the signer, while they may make it."""
    end = int(now()) + LASTS_S
    mark = _mark(identity.key, method, path, end)
    return f"/l/{quote(identity.signer, safe='')}/{end}/{mark}{quote(path)}"


def is_link(path: str) -> bool:
    return path.startswith("/l/")


def followed(
    method: str,
    path: str,
    signer: Callable[[str], Identity],
    *,
    now: Callable[[], float] = time.time,
) -> tuple[Identity, str]:
    """Who signed a link, and the path that it is for. Raises Failure for one that is none, or is over."""
    found = _LINK.fullmatch(path)
    if found is None or int(found["end"]) < now():
        raise _over()
    identity = signer(found["signer"])
    if not hmac.compare_digest(_mark(identity.key, method, found["path"], int(found["end"])), found["mark"]):
        raise _over()
    return identity, found["path"]


def _mark(key: bytes, method: str, path: str, end: int) -> str:
    said = f"{method}\n{end}\n{path}".encode("utf-8", "surrogateescape")
    return hmac.new(key, said, hashlib.sha256).hexdigest()


def _over() -> Failure:
    return Failure(UNKNOWN_CALLER, "this link is none of this server's, or its time is over")
