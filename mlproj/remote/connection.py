"""Requests to one server: short of patience where nobody is there, and plain about what it answers."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError, SSLError

from mlproj.errors import MlprojError, NotFound, StoreError, UsageError
from mlproj.model.redaction import without_credentials
from mlproj.remote.credentials import Credentials
from mlproj.version import __version__

API = "/api/2.0/mlflow/"

CONNECT, FIRST, LATER = 4.0, 15.0, 60.0
"""Seconds: one that is there is found at once, and answers a first, easy question soon; later it may have
more to work on."""

MOST = 8
"""Connections that are kept open for several threads."""

_JSON = {"Content-Type": "application/json"}
LONGEST_WAIT = 30.0
"""Seconds that a server may have us wait for when it is asked again."""

_RETRIED = (429, 502, 503, 504)
_LIMITED = {
    413: "who keeps it may allow larger requests (`mlproj server --max-request`, and a proxy before it)",
    429: "wait a while, and try again",
}
"""What is to be done about answers that speak of limits of the server, and not of what was asked."""
_PIECE = 1 << 20
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND", "NOT_FOUND")
_LONGEST = 300


class Away(StoreError):
    """Nobody answers, or not to the end."""


class Stranger(StoreError):
    """Whoever answers does not speak as a server of that kind does, or knows less than was asked for."""


class TooLarge(StoreError):
    """Whoever answers takes no request of that size."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is spoken of: what it is `called`, what lets one in, and what its address looks like.
    `known` reads an error that it tells in terms of our own, if it does; one with a code among `strange` is
    that of a server of another kind."""

    called: str = "tracking server"
    let_in: str = "set `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`"
    address: str = "give the address that MLflow's page has, without what comes after `#`"
    known: Callable[[bytes], MlprojError | None] = lambda data: None
    strange: tuple[str, ...] = ()


_MLFLOWS = Manner()


class Connection:
    """To the server at `uri`, as clients are given it. `environ` says which proxy there is; for the first
    answer there are `patience` seconds. May be used from several threads.

    Every failure is told without the credentials: StoreError where nobody answers (Away), lets us in or knows
    what to do, NotFound for what is not there, UsageError for what is refused.
    """

    def __init__(
        self,
        uri: str,
        credentials: Credentials,
        environ: Mapping[str, str],
        *,
        patience: float = FIRST,
        manner: Manner = _MLFLOWS,
    ) -> None:
        parts = urlsplit(uri)
        self._base = parts._replace(
            netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/"), query="", fragment=""
        ).geturl()
        self._headers = {"User-Agent": f"mlproj/{__version__}", "Accept-Encoding": "identity"}
        if credentials.authorization is not None:
            self._headers["Authorization"] = credentials.authorization
        self._shown = without_credentials(self._base)
        self._patience = patience
        self._manner = manner
        self._pool = _pool(self._base, credentials, environ)

    def get(self, path: str, /, **query: str | Sequence[str] | None) -> Any:
        """The JSON that a GET of `path` answers with."""
        with self._answer("GET", self._url(path, query)) as answer:
            return self._read(answer)

    def post(self, path: str, /, **body: Any) -> Any:
        with self._answer("POST", self._url(path, {}), json.dumps(body).encode()) as answer:
            return self._read(answer)

    def send(
        self, method: str, path: str, body: bytes | Iterator[bytes], kind: str, size: int | None = None
    ) -> bytes:
        """The bytes that a request answers with whose body is of that media type, and of that `size` where
        that is known of what comes in pieces."""
        own = {"Content-Type": kind, **({} if size is None else {"Content-Length": str(size)})}
        with self._answer(method, self._url(path, {}), body, own) as answer:
            return answer.read()

    def raw(
        self, method: str, path: str, headers: Mapping[str, str], body: IO[bytes]
    ) -> tuple[int, list[tuple[str, str]], Iterator[bytes]]:
        """Status, headers and content of whatever is answered, for somebody else: with the headers that are
        given, and none of ours. Raises Away."""
        size = body.seek(0, os.SEEK_END)
        body.seek(0)
        own = {"Content-Length": str(size)} if size or method not in ("GET", "HEAD") else {}
        try:
            answer = self._pool.request(
                method,
                self._base + path,
                body=body if own else None,
                headers={**headers, **own, "Accept-Encoding": "identity"},
                timeout=urllib3.Timeout(connect=CONNECT, read=LATER),
                preload_content=False,
                redirect=False,
                retries=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise self._away(error) from error
        return answer.status, list(answer.headers.items()), answer.stream(_PIECE)

    @contextlib.contextmanager
    def sent(self, path: str, body: bytes, kind: str) -> Iterator[Iterator[bytes]]:
        """As `send` by POST; the answer as it comes."""
        with self._answer("POST", self._url(path, {}), body, {"Content-Type": kind}) as answer:
            yield answer.stream(_PIECE)

    @contextlib.contextmanager
    def pieces(self, path: str, /, **query: str | None) -> Iterator[Iterator[bytes]]:
        """The content of a file, as it comes."""
        with self._answer("GET", self._url(path, query)) as answer:
            yield answer.stream(_PIECE)

    def _url(self, path: str, query: Mapping[str, str | Sequence[str] | None]) -> str:
        where = path if path.startswith("/") else API + path
        given = {name: value for name, value in query.items() if value is not None}
        return self._base + quote(where) + (f"?{urlencode(given, doseq=True)}" if given else "")

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        url: str,
        body: bytes | Iterator[bytes] | None = None,
        own: Mapping[str, str] = _JSON,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        headers = {**self._headers, **own} if body else self._headers
        try:
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT, read=self._patience),
                preload_content=False,
                redirect=method == "GET",
            )
            self._patience = LATER
            try:
                if answer.status >= 300:
                    raise self._refusal(answer)
                yield answer
            finally:
                answer.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            raise self._away(error) from error

    def _read(self, answer: urllib3.BaseHTTPResponse) -> Any:
        try:
            return json.loads(answer.data or b"{}")
        except ValueError as error:
            raise self._stranger() from error

    def _refusal(self, answer: urllib3.BaseHTTPResponse) -> MlprojError:
        """What an answer means that is no success."""
        known = self._manner.known(answer.data)
        if known is not None:
            return known
        code, said = _complaint(answer.data)
        told = f": {said}" if said else ""
        if answer.status in (401, 403):
            return StoreError(
                f"the {self._manner.called} `{self._shown}` does not let us in ({answer.status}){told}",
                hint=self._manner.let_in,
            )
        if code in self._manner.strange:
            return self._stranger()
        if code in _MISSING:
            return NotFound(f"the {self._manner.called} `{self._shown}` does not hold that{told}")
        if answer.status in (404, 405):
            return self._stranger()
        if answer.status in _LIMITED:
            return (TooLarge if answer.status == 413 else StoreError)(
                f"the {self._manner.called} `{self._shown}` refuses ({answer.status}){told}",
                hint=_LIMITED[answer.status],
            )
        if 400 <= answer.status < 500:
            return UsageError(f"the {self._manner.called} `{self._shown}` refuses ({answer.status}){told}")
        return StoreError(f"the {self._manner.called} `{self._shown}` failed ({answer.status}){told}")

    def _stranger(self) -> Stranger:
        return Stranger(
            f"`{self._shown}` does not answer as a {self._manner.called} does",
            hint=self._manner.address,
        )

    def _away(self, error: Exception) -> Away:
        reason: BaseException = error
        while isinstance(inner := getattr(reason, "reason", None), BaseException):
            reason = inner
        if isinstance(reason, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(reason):
            hint = "`MLFLOW_TRACKING_SERVER_CERT_PATH` names the certificate of whoever vouches for it"
        elif isinstance(reason, (SSLError, ssl.SSLError)):
            hint = "is it `http://`?"
        elif isinstance(reason, ProtocolError) and self._shown.startswith("http:"):
            hint = "check that the server runs; is it `https://`?"
        else:
            hint = "check the address, and that the server runs"
        cause = reason.__context__
        told = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(reason)
        return Away(
            f"the {self._manner.called} `{self._shown}` cannot be reached: {_in_short(told)}", hint=hint
        )


class _Waiting(urllib3.Retry):
    """Waits before it asks again as long as the server says, within reason."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, LONGEST_WAIT)


def _pool(base: str, credentials: Credentials, environ: Mapping[str, str]) -> urllib3.PoolManager:
    options: dict[str, Any] = {
        "maxsize": MOST,
        # What may have been done is not done twice; a server that says it is busy has done nothing.
        "retries": _Waiting(
            total=None,
            connect=1,
            read=0,
            other=0,
            redirect=5,
            status=3,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            backoff_factor=0.3,
            raise_on_status=False,
        ),
    }
    if base.startswith("https:"):
        options["ssl_context"] = _context(credentials)
        if not credentials.verified:
            urllib3.disable_warnings(InsecureRequestWarning)
    proxy = _proxy(base, environ)
    if proxy is None:
        return urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    login = None if parts.username is None else f"{parts.username}:{parts.password or ''}"
    headers = None if login is None else urllib3.make_headers(proxy_basic_auth=login)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return urllib3.ProxyManager(bare, proxy_headers=headers, **options)


def _context(credentials: Credentials) -> ssl.SSLContext:
    try:
        authorities = credentials.authorities
        if authorities is None:
            context = ssl.create_default_context()
        elif authorities.is_dir():
            context = ssl.create_default_context(capath=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities)
        if credentials.certificate is not None:
            context.load_cert_chain(credentials.certificate)
    except OSError as error:
        given = "`MLFLOW_TRACKING_SERVER_CERT_PATH` and `MLFLOW_TRACKING_CLIENT_CERT_PATH`"
        raise UsageError(f"a certificate cannot be read: {error}", hint=f"look at {given}") from error
    if not credentials.verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy(base: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the variables name for the server, if it is not exempt."""
    parts = urlsplit(base)
    named = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    proxies = {name.removesuffix("_proxy"): value for name, value in named.items() if value}
    if urllib.request.proxy_bypass_environment(parts.netloc, proxies):  # type: ignore[attr-defined]  # typeshed has it on macOS alone
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _complaint(data: bytes) -> tuple[str, str]:
    """The code and the words of an error in MLflow's form; else nothing of what may be a page of HTML."""
    try:
        document = json.loads(data)
        return str(document.get("error_code", "")), _in_short(str(document.get("message", "")))
    except (ValueError, AttributeError):
        return "", ""


def _in_short(text: str) -> str:
    words = " ".join(without_credentials(text).split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
