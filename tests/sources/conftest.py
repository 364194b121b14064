"""Repositories and servers that the sources fetch from, all of them real."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlproj.model.events import Event
from tests.conftest import commit_all, git


@dataclass(kw_only=True)
class History:
    """A repository with three commits on `main`, a branch `side` and a tag `v1`, and a subfolder `sub`."""

    root: Path
    first: str
    second: str
    last: str


@pytest.fixture
def history(tmp_path: Path) -> History:
    root = tmp_path / "history"
    (root / "sub").mkdir(parents=True)
    commits = []
    for number in ("one", "two", "three"):
        (root / "MLproject").write_text(f"name: {number}\n")
        (root / "sub" / "train.py").write_text(f"print('{number}')\n")
        commits.append(commit_all(root, number))
    git(root, "tag", "v1", commits[0])
    git(root, "branch", "side", commits[1])
    return History(root=root, first=commits[0], second=commits[1], last=commits[2])


@pytest.fixture
def checkouts(tmp_path: Path) -> Iterator[Path]:
    """The folder for trees of our own, which every test has to leave empty."""
    folder = tmp_path / "checkouts"
    yield folder
    assert not folder.exists() or not list(folder.iterdir()), "a tree was left behind"


@pytest.fixture
def events() -> list[Event]:
    return []


@dataclass(kw_only=True)
class Web:
    """A server for `folder`: its files as they are, and its repositories by git's own smart protocol.

    `seen` are the Authorization headers that came; with `password` set, `ada` has to send it.
    """

    folder: Path
    address: str
    seen: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    password: str | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, web: Web, *arguments: object, **options: object) -> None:
        self.web = web
        super().__init__(*arguments, directory=str(web.folder), **options)  # type: ignore[arg-type]  # passed on

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def do_GET(self) -> None:
        if self._allowed():
            if "/smart/" in self.path:
                self._backend()
            else:
                self.path = self.path.partition("?")[0]
                super().do_GET()

    def do_POST(self) -> None:
        if self._allowed():
            self._backend()

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization")
        self.web.seen.append(given)
        self.web.requests.append(f"{self.command} {self.path}")
        if self.web.password is None:
            return True
        wanted = "Basic " + base64.b64encode(f"ada:{self.web.password}".encode()).decode()
        if given == wanted:
            return True
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _backend(self) -> None:
        path, _, query = self.path.partition("?")
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.web.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path.removeprefix("/smart"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environ["CONTENT_LENGTH"] = str(len(body))
        done = subprocess.run(
            ("git", "http-backend"), env=environ, input=body, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    folder = tmp_path / "web"
    folder.mkdir()
    with serving(folder) as web:
        yield web


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Web]:
    web = Web(folder=folder, address="")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, web))
    web.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
