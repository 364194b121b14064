"""A run's endpoint costs nothing until somebody calls, and does not hold the run's end up."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj.model.run import Run
from mlproj.server.endpoint import Endpoint
from mlproj.server.serving import GRACE
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import API, ARTIFACTS, Caller, calling, wait_until
from tests.server.conftest import files_of

LAZY = """
import signal, sys, urllib.request
from importlib import import_module
from pathlib import Path
from mlproj.server.endpoint import Endpoint
from mlproj.store.opening import open_store

before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
store = open_store(Path(sys.argv[1]), create=True)

def tracking():
    return import_module("mlproj.store.tracking.opening").open_tracking(store)

def files():
    return import_module("mlproj.store.artifacts").FolderArtifacts(store.root, store.root / "uploads")

def loaded():
    heavy = {"fastapi", "pydantic", "starlette", "sqlalchemy", "uvicorn", "alembic"}
    return sorted({name.partition(".")[0] for name in sys.modules} & heavy)

endpoint = Endpoint("a" * 32, tracking, files)
print(loaded(), endpoint.loaded)
with urllib.request.urlopen(endpoint.uri + "/version") as answer:
    print(answer.status)
print(loaded(), endpoint.loaded)
endpoint.close()
print(before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
"""


def test_nothing_is_loaded_before_the_first_connection(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-c", LAZY, str(tmp_path / "store")), capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "[] False",
        "200",
        "['sqlalchemy', 'starlette', 'uvicorn'] True",
        "True",
    ], done.stderr


def test_one_that_nobody_called_ends_at_once(store: FolderStore) -> None:
    endpoint = Endpoint("a" * 32, lambda: open_tracking(store), lambda: files_of(store))
    start = time.perf_counter()
    endpoint.close()
    endpoint.close()
    assert time.perf_counter() - start < 5, "it waits for none"
    assert not endpoint.loaded


def test_connections_that_are_kept_do_not_hold_the_end_up(endpoint: Endpoint, run: Run) -> None:
    with calling(endpoint.uri) as one, calling(endpoint.uri) as other:
        for caller in (one, other):
            caller.done("GET", "runs/get", run_id=run.run_id)
        half = socket.create_connection(_address(endpoint))
        half.sendall(b"POST /t/")
        start = time.perf_counter()
        endpoint.close()
        assert time.perf_counter() - start < GRACE
        half.close()


def test_what_is_in_flight_is_answered(store: FolderStore, run: Run) -> None:
    """The store takes its time, and the end comes meanwhile."""
    tracking = open_tracking(store)
    entered, go_on = threading.Event(), threading.Event()
    log = tracking.runs.log

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(tracking.runs, name)

        def log(self, *given: object) -> None:
            entered.set()
            assert go_on.wait(20)
            log(*given)  # type: ignore[arg-type]

    class Held:
        runs = Slow()

        def __getattr__(self, name: str) -> object:
            return getattr(tracking, name)

    endpoint = Endpoint(run.run_id, lambda: Held(), lambda: files_of(store))  # type: ignore[arg-type,return-value]
    answers: list[object] = []

    def call() -> None:
        with calling(endpoint.uri) as caller:
            answers.append(
                caller("POST", "runs/log-metric", run_id=run.run_id, key="m", value=1, timestamp=1)
            )

    client = threading.Thread(target=call)
    client.start()
    assert entered.wait(20)
    closing = threading.Thread(target=endpoint.close)
    closing.start()
    time.sleep(0.05)
    go_on.set()
    closing.join(20)
    client.join(20)
    assert answers == [(200, {})]


def test_an_upload_that_stalls_holds_the_end_up_for_a_while_only(
    endpoint: Endpoint, run: Run, store: FolderStore
) -> None:
    stalled = socket.create_connection(_address(endpoint))
    path = f"{urlsplit(endpoint.uri).path}{ARTIFACTS}/0/{run.run_id}/artifacts/f"
    stalled.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf".encode())
    uploads = store.root / "uploads"
    wait_until(lambda: uploads.exists() and any(uploads.iterdir()))
    start = time.perf_counter()
    endpoint.close()
    assert time.perf_counter() - start < GRACE + 3
    assert not any(uploads.iterdir())
    stalled.close()


def test_what_is_no_http_is_not_talked_of(
    endpoint: Endpoint, script: Caller, capfd: pytest.CaptureFixture[str]
) -> None:
    script.done("GET", "experiments/get", experiment_id="0")
    with socket.create_connection(_address(endpoint)) as wrong:
        wrong.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        wrong.recv(1000)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_there_after_the_end(endpoint: Endpoint, script: Caller) -> None:
    script.done("GET", "experiments/get", experiment_id="0")
    endpoint.close()
    try:
        socket.create_connection(_address(endpoint)).close()
    except ConnectionRefusedError:
        return
    raise AssertionError("somebody listens still")


def test_a_store_that_cannot_be_opened_is_told_of(run: Run, store: FolderStore) -> None:
    def fails() -> object:
        raise RuntimeError("no store")

    heard: list[Exception] = []
    endpoint = Endpoint(run.run_id, fails, lambda: files_of(store), unexpected=heard.append)  # type: ignore[arg-type]
    with calling(endpoint.uri) as caller:
        status, answer = caller("GET", "experiments/get", experiment_id="0")
    endpoint.close()
    assert (status, answer["error_code"]) == (507, "INTERNAL_ERROR")
    assert [str(error) for error in heard] == ["no store"]


def test_many_call_at_once(endpoint: Endpoint, run: Run) -> None:
    """The first of them wait in line while the application is loaded."""
    failures: list[object] = []

    def log(number: int) -> None:
        with calling(endpoint.uri) as caller:
            for step in range(10):
                status, answer = caller(
                    "POST",
                    "runs/log-metric",
                    run_id=run.run_id,
                    key=f"m{number}",
                    value=1,
                    timestamp=1,
                    step=step,
                )
                if status != 200:
                    failures.append(answer)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with calling(endpoint.uri) as caller:
        run_told = caller.done("GET", "runs/get", run_id=run.run_id)["run"]
    assert len(run_told["data"]["metrics"]) == 20


def test_an_expect_header_is_answered(endpoint: Endpoint, run: Run) -> None:
    host, port = _address(endpoint)
    connection = http.client.HTTPConnection(host, port, timeout=20)
    body = json.dumps({"run_id": run.run_id, "key": "m", "value": "1"})
    headers = {"Content-Type": "application/json", "Expect": "100-continue"}
    connection.request("POST", f"{urlsplit(endpoint.uri).path}{API}/runs/set-tag", body, headers)
    assert connection.getresponse().status == 200
    connection.close()


def _address(endpoint: Endpoint) -> tuple[str, int]:
    parts = urlsplit(endpoint.uri)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port
