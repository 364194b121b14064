"""One attempt to tell a webhook something: signed as MLflow signs, to the address that was looked at, once.

The name of the host is resolved once for each connection, and the connection goes to an address that was
allowed; the certificate has to be that of the name. Nobody is led elsewhere by a redirect or a proxy.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import hmac
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, ReadTimeoutError
from urllib3.util.connection import create_connection

from mlproj.errors import UsageError
from mlproj.model.webhooks import Answered, Outgoing, WebhookRules
from mlproj.remote.webhooks.addresses import is_allowed, is_loopback, resolved
from mlproj.version import __version__

AGAIN = (429, 500, 502, 503, 504)
"""The statuses after which it may go better later, as MLflow has it."""
_CONNECT_S = 10.0
_LONGEST_URL = 500
_LONGEST_ANSWER = 64 * 1024
_LONGEST_WAIT_S = 3600.0


class Forbidden(Exception):
    """The host has an address that nothing is sent to. No error of urllib3's, so nobody tries again."""


class GuardedSender:
    """A `Sender`. May be used from several threads."""

    def __init__(self, rules: WebhookRules) -> None:
        self._rules = rules

    def refuse(self, url: str) -> None:
        parts = self._parts(url)
        assert parts.hostname is not None
        try:
            self._addresses(parts.scheme, parts.hostname, parts.port or 443)
        except Forbidden as error:
            raise UsageError(
                str(error),
                hint="a server with `--webhook-allow-private` sends to this machine and its network, and so "
                "does a command with `--allow-private`",
            ) from error
        except (OSError, UnicodeError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UsageError(f"Cannot resolve Webhook URL hostname {parts.hostname!r}: {told}") from error

    def send(self, outgoing: Outgoing) -> Answered:
        try:
            parts = self._parts(outgoing.url)
            return self._posted(parts, outgoing)
        except UsageError as error:
            return Answered(error=error.message)
        except Forbidden as error:
            return Answered(error=str(error))
        except (HTTPError, OSError, UnicodeError, ValueError) as error:
            return Answered(error=_in_short(error), again=True)

    def _posted(self, parts: SplitResult, outgoing: Outgoing) -> Answered:
        deadline = _Deadline(self._rules.timeout_s)
        pool = self._pool(parts, deadline)
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        target = target if target.startswith("/") else f"/{target}"
        with pool, deadline.kept():
            answer = pool.urlopen(
                "POST",
                target,
                body=outgoing.body.encode(),
                headers=_headers(outgoing, str(int(time.time()))),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(
                    connect=min(_CONNECT_S, self._rules.timeout_s), read=self._rules.timeout_s
                ),
            )
            try:
                return _read(answer)
            finally:
                answer.close()

    def _pool(self, parts: SplitResult, deadline: _Deadline) -> HTTPConnectionPool:
        """Of one connection, which is checked as it is made, and not kept."""
        assert parts.hostname is not None

        def connected(connection: HTTPConnection) -> socket.socket:
            made = _connected(connection, self._addresses(parts.scheme, connection.host, connection.port))
            deadline.holds(made)
            return made

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connected(self)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connected(self)

        if parts.scheme == "http":
            pool = HTTPConnectionPool(parts.hostname, parts.port, maxsize=1)
            pool.ConnectionCls = Plain
            return pool
        secure = HTTPSConnectionPool(parts.hostname, parts.port, maxsize=1)
        secure.ConnectionCls = Secure
        return secure

    def _addresses(self, scheme: str, host: str, port: int) -> Sequence[str]:
        """All addresses of the host. Raises Forbidden where one is not allowed: a name that leads to both
        kinds is meant to confuse."""
        private = self._rules.private
        found = resolved(host, port)
        for address in found:
            if not is_allowed(address, private=private):
                raise Forbidden(
                    "Webhook URL must not resolve to a non-public IP address. "
                    f"{host!r} resolves to {address}."
                )
            if scheme == "http" and not self._rules.http and not is_loopback(address):
                raise Forbidden(_NOT_PLAIN)
        return [str(address) for address in found]

    def _parts(self, url: str) -> SplitResult:
        """Raises UsageError in MLflow's words."""
        if not url.strip():
            raise UsageError(f"Webhook URL cannot be empty or just whitespace: {url!r}")
        if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise UsageError(
                f"Invalid webhook URL: at most {_LONGEST_URL} characters of ASCII, without blanks"
            )
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"Invalid webhook URL: {error}") from error
        schemes = ("https", "http") if self._rules.http or self._rules.private else ("https",)
        if parts.scheme not in schemes:
            raise UsageError(
                f"Invalid webhook URL scheme: {parts.scheme!r}. Allowed schemes are: {', '.join(schemes)}."
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError("Webhook URL must not include embedded credentials")
        if not parts.hostname or port == 0:
            raise UsageError("Webhook URL must include a hostname")
        return parts


class _Deadline:
    """Cuts a connection off when its time is over, however slowly the other side goes on answering."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._over = False
        self._lock = threading.Lock()

    def holds(self, made: socket.socket) -> None:
        # TLS takes the descriptor over from what it wraps: this one is of the same connection, and ours.
        with self._lock:
            self._socket = made.dup()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """For the length of the `with`. Raises TimeoutError where it was too long."""
        timer = threading.Timer(self._seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (HTTPError, OSError) as error:
            if self._over or isinstance(error, TimeoutError | ReadTimeoutError | ConnectTimeoutError):
                raise TimeoutError(errno.ETIMEDOUT, f"no answer within {self._seconds:g} s") from error
            raise
        finally:
            timer.cancel()
            with self._lock:
                if self._socket is not None:
                    self._socket.close()
                    self._socket = None

    def _cut(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                # It may be over just now.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


_NOT_PLAIN = "Invalid webhook URL scheme: 'http' goes to this machine alone. Allowed schemes are: https."


def signature(secret: str, delivery_id: str, timestamp: str, body: str) -> str:
    """What `X-MLflow-Signature` says."""
    signed = hmac.new(secret.encode(), f"{delivery_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def _headers(outgoing: Outgoing, timestamp: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"mlproj/{__version__}",
        "Accept-Encoding": "identity",
        "X-MLflow-Delivery-Id": outgoing.delivery_id,
        "X-MLflow-Timestamp": timestamp,
    }
    if outgoing.secret:
        told = signature(outgoing.secret, outgoing.delivery_id, timestamp, outgoing.body)
        headers["X-MLflow-Signature"] = told
    return headers


def _connected(connection: HTTPConnection, addresses: Sequence[str]) -> socket.socket:
    """A connection to the first of the addresses that answers."""
    for position, address in enumerate(addresses, start=1):
        try:
            made: socket.socket = create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
            return made
        except OSError:
            if position == len(addresses):
                raise
    raise OSError("the host has no address")


def _read(answer: Any) -> Answered:
    body = answer.read(_LONGEST_ANSWER).decode(errors="replace")
    status = answer.status
    if 200 <= status < 300:
        return Answered(status=status, body=body)
    if 300 <= status < 400:
        return Answered(status=status, body=body, error=f"answered {status}, and redirects are not followed")
    wait = None
    if status in AGAIN:
        with contextlib.suppress(InvalidHeader):
            wait = urllib3.Retry().get_retry_after(answer)
    return Answered(
        status=status,
        body=body,
        error=f"answered {status}",
        again=status in AGAIN,
        wait=None if wait is None else min(max(wait, 0.0), _LONGEST_WAIT_S),
    )


def _in_short(error: BaseException) -> str:
    """What went wrong, without the address: that may hold what lets one in."""
    for each in (error, error.__cause__ or error.__context__):
        if isinstance(each, ssl.SSLError):
            return f"TLS failed: {each.reason or type(each).__name__}"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return f"no whole answer ({type(error).__name__})"
