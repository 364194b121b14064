"""Somebody who is told by webhooks: real, on loopback, and as awkward as receivers are."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOLD = 0
"""An answer that does not come until the receiver ends."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery(self) -> str:
        return self.headers["X-MLflow-Delivery-Id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> str:
        return f"{self.told['entity']}.{self.told['action']}"

    def signed_by(self, secret: str) -> bool:
        """Whether the signature is that of the secret, as MLflow's documents have receivers check it."""
        said = f"{self.delivery}.{self.headers['X-MLflow-Timestamp']}.".encode() + self.body
        mine = base64.b64encode(hmac.new(secret.encode(), said, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(self.headers["X-MLflow-Signature"], f"v1,{mine}")


@dataclass(kw_only=True)
class Receiver:
    """`answers` are the statuses of what is asked of a path next, and after them it is 200."""

    uri: str
    answers: dict[str, list[int]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    _heard: list[Heard] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def heard(self, path: str = "/") -> list[Heard]:
        with self._lock:
            return [each for each in self._heard if each.path == path]

    def hear(self, heard: Heard) -> int:
        with self._lock:
            self._heard.append(heard)
            waiting = self.answers.get(heard.path)
            return waiting.pop(0) if waiting else 200


@contextlib.contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver until the end of the `with`, by TLS where there is a context."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.hear(Heard(path=self.path, headers=dict(self.headers.items()), body=body))
            if status == HOLD:
                receiver.over.wait()
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "4")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"good")

        def log_message(self, format: str, *args: object) -> None:
            return None

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever calls may be killed meanwhile."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if context is None else "https"
    receiver = Receiver(uri=f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
