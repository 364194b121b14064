"""What keeps a page from doing what its reader did not ask for: headers for the browser, tokens in forms.

No script runs but the files of this package, whatever a text, a name or an artifact contains; nothing is
asked of another host; no other site shows a page of ours in a frame. A form that changes something carries
the token that a cookie of the same browser has, which no other site can read, and comes from our own pages.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from mlproj.server.failures import DENIED, Failure, invalid

FIELD = "token"
"""The field of a form that holds its token."""

LARGEST = 1024 * 1024
"""Bytes of a form."""

_EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Plotly adds an empty style element, and rules to it one by one, which nothing that is stored can do."""

HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' {_EMPTY_STYLE}",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

FILE_HEADERS = {
    **HEADERS,
    # Should a browser take one for a document after all, it is one of no origin, without script.
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
}

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_OWN = ("same-origin", "none")


class StrangeForm(Failure):
    """A form that is from no page of ours."""


def token_of(request: Request) -> str:
    """The token of this browser, a new one where it has none."""
    found = request.cookies.get(_cookie(request), "")
    return found if _TOKEN.fullmatch(found) else secrets.token_urlsafe(32)


def keep_token(request: Request, response: Response, token: str) -> None:
    """Has the browser keep its token until it is closed."""
    if request.cookies.get(_cookie(request)) != token:
        response.set_cookie(
            _cookie(request),
            token,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path="/",
        )


def check_form(request: Request, form: Sequence[tuple[str, str]]) -> None:
    """Raises Failure for a form that is not from a page which this server showed to this browser."""
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    told = dict(form).get(FIELD, "")
    kept = request.cookies.get(_cookie(request), "")
    foreign = (fetched is not None and fetched not in _OWN) or (
        origin is not None and urlsplit(origin).netloc != request.url.netloc
    )
    if foreign or not _TOKEN.fullmatch(kept) or not hmac.compare_digest(told.encode(), kept.encode()):
        raise StrangeForm(
            DENIED,
            "this form is of no page that this server showed here: load the page anew and send it again",
        )


async def read_form(request: Request) -> Sequence[tuple[str, str]]:
    """The fields of a form as browsers send them. Raises Failure for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise invalid("this is no form of a page")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise invalid(f"the form is larger than {LARGEST} bytes")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise invalid("the form cannot be read") from error
    # Browsers send lines of text with both characters.
    return [(name, value.replace("\r\n", "\n")) for name, value in fields]


def without_token(form: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    return {name: value for name, value in form if name != FIELD}


def _cookie(request: Request) -> str:
    """Under the longer name a browser takes the cookie from this very host alone, which needs TLS."""
    return "__Host-mlproj-form" if request.url.scheme == "https" else "mlproj-form"
