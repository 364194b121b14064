"""Calls of a server as a client makes them, over one kept connection."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from mlproj.server.access import Application
from mlproj.server.doorway import prepared
from mlproj.server.serving import Serving

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class Caller:
    """A client of the server at `uri`, who says with every request what is in `headers`."""

    def __init__(self, uri: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(uri)
        assert parts.hostname is not None
        self.uri = uri
        self._prefix = parts.path
        self._headers = dict(headers or {})
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def raw(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        status, content, _ = self.whole(method, path, body, headers)
        return status, content

    def whole(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """As `raw`, with the headers of the answer."""
        self._connection.request(method, f"{self._prefix}{path}", body, {**self._headers, **(headers or {})})
        response = self._connection.getresponse()
        return response.status, response.read(), response.headers

    def __call__(self, method: str, path: str, /, **fields: Any) -> tuple[int, Any]:
        """A route below MLflow's, or any other whose path begins with `/`; a GET's fields are its query."""
        path = path if path.startswith("/") else f"{API}/{path}"
        headers = {"Content-Type": "application/json"}
        if method == "GET":
            query = urlencode(fields, doseq=True)
            status, content = self.raw(method, f"{path}?{query}" if query else path)
        else:
            status, content = self.raw(method, path, json.dumps(fields), headers)
        return status, json.loads(content)

    def done(self, method: str, path: str, /, **fields: Any) -> Any:
        """The answer of a call that has to succeed."""
        status, answer = self(method, path, **fields)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, /, **fields: Any) -> tuple[int, str]:
        """The status and the code of a call that has to fail."""
        status, answer = self(method, path, **fields)
        assert status != 200 and set(answer) == {"error_code", "message"}, answer
        return status, answer["error_code"]

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def calling(uri: str, headers: Mapping[str, str] | None = None) -> Iterator[Caller]:
    """A caller whose every request has these headers."""
    caller = Caller(uri, headers)
    try:
        yield caller
    finally:
        caller.close()


@contextlib.contextmanager
def served(application: Application, port: int = 0) -> Iterator[str]:
    """The application on a loopback port, in a thread; its address."""
    listener = prepared(socket.create_server(("127.0.0.1", port)))
    serving = Serving(application, [listener])
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        serving.end()
        thread.join(30)
        listener.close()


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
