"""Clients that keep a server waiting, or send what has no end: they go, and nobody else notices."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mlproj.server.access import Message, Receive, Scope, Send
from mlproj.server.doorway import prepared
from mlproj.server.patience import LARGEST_HEAD, Patience
from mlproj.server.serving import Serving

HASTY = Patience(head=0.3, idle=0.6, stalled=0.3, slowest=1000.0, look=0.05)
LARGE = 64 << 20


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes a body, and answers with as many bytes as it has, or very many where the path says so."""
    size, more = 0, scope["path"] != "/refused"
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = b"x" * (LARGE if scope["path"] == "/large" else size)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with echoing(HASTY) as port:
        yield port


@contextlib.contextmanager
def echoing(patience: Patience) -> Iterator[int]:
    listener = prepared(socket.create_server(("127.0.0.1", 0)))
    serving = Serving(echo, [listener], patience=patience)
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        serving.end()
        thread.join(30)
        listener.close()


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def is_closed(client: socket.socket) -> bytes:
    """What comes until the server ends the connection, for which this waits."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := client.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def test_headers_without_end_are_not_kept(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
    with contextlib.suppress(ConnectionError):
        for number in range(100):
            client.sendall(b"x-%d: " % number + b"a" * LARGEST_HEAD + b"\r\n")
        pytest.fail("all of them were taken")


@pytest.mark.parametrize("begin", [b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: "])
def test_a_line_without_end_is_not_kept(client: socket.socket, begin: bytes) -> None:
    client.sendall(begin)
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            client.sendall(b"a" * LARGEST_HEAD)
        pytest.fail("all of it was taken")


def test_what_follows_a_body_in_pieces_has_an_end(client: socket.socket) -> None:
    client.sendall(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: "
    )
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            client.sendall(b"a" * LARGEST_HEAD)
        pytest.fail("all of it was taken")


def test_requests_ahead_of_their_answers_are_few(client: socket.socket) -> None:
    asked = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    client.sendall(asked * 20)
    answers = b""
    while answers.count(b"HTTP/1.1 200") < 20:
        answers += client.recv(1 << 16)
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            client.sendall(asked * 5000)
        pytest.fail("all of them were taken")


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost:",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTT",
    ],
)
def test_whoever_sends_a_byte_at_a_time_is_let_go(client: socket.socket, begin: bytes) -> None:
    client.sendall(begin)
    since = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - since < 10:
            client.sendall(b"0" if b"chunked" in begin else b"a")
            time.sleep(0.05)
        pytest.fail("it goes on")
    assert time.monotonic() - since < 5


def test_whoever_takes_no_answer_is_let_go(client: socket.socket) -> None:
    client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(1.5)
    assert len(is_closed(client)) < LARGE


def test_whoever_is_slow_and_goes_on_is_waited_for(client: socket.socket) -> None:
    client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
    for _ in range(20):
        client.sendall(b"a" * 1000)
        time.sleep(0.05)
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
    time.sleep(0.4)
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"HTTP/1.1 200" in is_closed(client)


def test_whoever_takes_an_answer_slowly_gets_all_of_it() -> None:
    """The system's buffer is larger than what they take in the time that they have."""
    with (
        echoing(Patience(stalled=0.5, slowest=1000.0, look=0.05)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as slow,
    ):
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        taken = 0
        for _ in range(40):
            taken += len(slow.recv(20_000))
            time.sleep(0.05)
        assert taken + len(is_closed(slow)) > LARGE


def test_connections_that_nobody_uses_make_room() -> None:
    with echoing(Patience(connections=20)) as port, contextlib.ExitStack() as held:
        working = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        working.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        for number in range(100):
            idle = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" if number % 2 else b"")
        fresh = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        fresh.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert fresh.recv(12) == b"HTTP/1.1 200"
        # Whoever is being answered is not one of them.
        working.sendall(b"x")
        assert working.recv(12) == b"HTTP/1.1 200"
