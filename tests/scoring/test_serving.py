"""A server that people do odd things to: whatever comes, it answers, and the next one is served too."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import urllib3

from tests.mlflow_clients import ClientPython
from tests.scoring.conftest import Models
from tests.scoring.making import make_odd
from tests.scoring.servers import ROWS, head, program, raw, serving, started_for

JSON = {"content-type": "application/json"}
DEEP = b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LONG = b'{"inputs":[' + b"9" * 5000 + b"]}"
"""JSON that Python does not read."""


@pytest.fixture(scope="module")
def address(
    client_python: ClientPython, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    log = tmp_path_factory.mktemp("serving") / "log"
    with serving(program(client_python("3"), models("3"), "--most", "3000000"), log) as found:
        yield found


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /ping HTTP/3.0\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /ping HTTP/1.0\r\n\r\n", 200),
        (b"GET /ping?one=two HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
        (b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
        (b"POST /invocations HTTP/1.1\r\nConnection: close\r\n\r\n", 415),
        (head(4_000_000) + b"x" * 4_000_000, 413),
        (head(10**14), 413),
        (head(len(ROWS)) + ROWS, 200),
        (head(len(DEEP)) + DEEP, 400),
        (head(len(LONG)) + LONG, 400),
        (b"GET /ping HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", 200),
    ],
)
def test_strange_requests_get_their_answer(address: str, sent: bytes, status: int) -> None:
    assert raw(address, sent).startswith(f"HTTP/1.1 {status} ".encode())
    assert raw(address, head(len(ROWS)) + ROWS).startswith(b"HTTP/1.1 200 ")


def test_a_body_may_come_in_chunks_and_by_and_by(address: str) -> None:
    with urllib3.PoolManager() as pool:
        pieces = (ROWS[start : start + 7] for start in range(0, len(ROWS), 7))
        told = pool.request("POST", f"{address}/invocations", body=pieces, headers=JSON, chunked=True)
    assert told.status == 200 and told.json()["predictions"] == pytest.approx([1.0])


def test_large_bodies_are_taken_too_a_few_at_a_time(address: str) -> None:
    rows = 200_000
    body = b"a,b,c\n" + b"1.0,1,u\n" * rows

    def client(_: int) -> int:
        with urllib3.PoolManager(retries=False, timeout=300) as pool:
            told = pool.request(
                "POST", f"{address}/invocations", body=body, headers={"content-type": "text/csv"}
            )
        return len(told.json()["predictions"])

    with ThreadPoolExecutor(4) as crowd:
        assert list(crowd.map(client, range(4))) == [rows] * 4


def test_who_asks_whether_to_go_on_is_told_so(address: str) -> None:
    asked = head(len(ROWS)).replace(b"Host:", b"Expect: 100-continue\r\nHost:")
    answer = raw(address, asked + ROWS)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


def test_a_body_that_is_cut_short_harms_nobody(address: str) -> None:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(head(100_000) + b"{")
    assert raw(address, head(len(ROWS)) + ROWS).startswith(b"HTTP/1.1 200 ")


def test_who_sends_a_large_body_slowly_keeps_nobody_waiting(address: str) -> None:
    body = b"a,b,c\n" + b"1.0,1,u\n" * 200_000
    parts = urlsplit(address)
    with contextlib.ExitStack() as held, urllib3.PoolManager(retries=False, timeout=40) as pool:
        for _ in range(4):
            slow = held.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0)))
            slow.sendall(head(2_000_000) + b"{" * 1_500_000)
        told = pool.request("POST", f"{address}/invocations", body=body, headers={"content-type": "text/csv"})
        assert told.status == 200


def test_two_hundred_clients_at_once_are_served(address: str) -> None:
    barrier = threading.Barrier(200)

    def client(number: int) -> list[int]:
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            barrier.wait(60)
            wrong = ROWS.replace(b'"c"', b'"other"')
            sent = wrong if number % 10 == 0 else ROWS
            return [
                pool.request("POST", f"{address}/invocations", body=sent, headers=JSON).status
                for _ in range(3)
            ]

    with ThreadPoolExecutor(200) as crowd:
        found = list(crowd.map(client, range(200)))
    assert found == [[400] * 3 if number % 10 == 0 else [200] * 3 for number in range(200)]


def test_a_process_that_dies_has_a_successor(
    client_python: ClientPython, plain_model: Path, tmp_path: Path
) -> None:
    with serving(program(client_python("3"), plain_model, "--workers", "2"), tmp_path / "log") as found:
        program_ = started_for(plain_model)
        before = program_.children()
        assert len(before) == 2
        before[0].send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(program_.children()) + (before[0].is_running()) < 2:
            time.sleep(0.1)
        with urllib3.PoolManager(retries=urllib3.Retry(5, backoff_factor=0.5)) as pool:
            told = pool.request("POST", f"{found}/invocations", body=ROWS, headers=JSON)
        assert told.status == 200
        while time.monotonic() < deadline and (len(now := program_.children()) < 2 or before[0] in now):
            time.sleep(0.1)
        assert len(now) == 2 and before[0] not in now


def test_what_is_being_answered_is_answered_before_the_end(
    client_python: ClientPython, tmp_path: Path
) -> None:
    """A model that takes a second, and a signal in the midst of it."""
    python, model = client_python("3"), tmp_path / "slow.pkl"
    make_odd(python, model, "time.sleep(1)")
    with ThreadPoolExecutor(1) as aside, serving(program(python, model), tmp_path / "log") as found:
        body = head(len(ROWS)) + ROWS
        answer = aside.submit(raw, found, body)
        time.sleep(0.4)
        child = started_for(model)
        child.send_signal(signal.SIGTERM)
        assert answer.result(30).startswith(b"HTTP/1.1 200 ")
        assert child.wait(30) == 0


@pytest.mark.parametrize(
    ("code", "timeout", "status", "told"),
    [
        ("time.sleep(30)", 1, 504, b"Request processing time exceeded limit"),
        ("raise ValueError('of the model')", 60, 400, b"of the model"),
        ("sys.exit(1)", 60, 500, b"Internal Server Error"),
        ("raise KeyboardInterrupt", 60, 500, b"Internal Server Error"),
    ],
)
def test_a_model_that_misbehaves_ends_its_request_alone(
    code: str, timeout: int, status: int, told: bytes, client_python: ClientPython, tmp_path: Path
) -> None:
    python, model = client_python("3"), tmp_path / "odd.pkl"
    make_odd(python, model, code)
    with serving(program(python, model, "--timeout", str(timeout)), tmp_path / "log") as found:
        for _ in range(2):
            answer = raw(found, head(len(ROWS)) + ROWS)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and told in answer
        assert raw(found, b"GET /ping HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_the_processes_end_with_whoever_attends_them(
    client_python: ClientPython, plain_model: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = program(client_python("3"), plain_model, "--attended", "--workers", "2")
    with (
        log.open("wb") as written,
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=written, env={**os.environ}) as process,
    ):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and b"serving at" not in log.read_bytes():
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
        assert not [one for one in workers if one.is_running()]


def test_processes_that_are_left_alone_end(
    client_python: ClientPython, plain_model: Path, tmp_path: Path
) -> None:
    """The one that watches them is killed, and has no time to tell them so."""
    with (
        contextlib.suppress(AssertionError),
        serving(program(client_python("3"), plain_model, "--workers", "2"), tmp_path / "log"),
    ):
        child = started_for(plain_model)
        workers = child.children()
        child.kill()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive and len(workers) == 2
