"""Many clients log to one run at once, also while a server is killed: every point is there, none twice."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mlflow_clients import QUIET, ClientPython
from tests.mlflow_servers import free_port
from tests.server.calling import ARTIFACTS, Caller, calling, wait_until
from tests.server.hosted import ACCESSES, BACKENDS, MLPROJ, Access, Backend, hosted

STORM = Path(__file__).with_name("storm.py")
CLIENTS, POINTS = 8, 2000
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "8", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}

pytestmark = [
    pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name),
    pytest.mark.parametrize("access", ACCESSES, ids=lambda access: access.name),
]


@contextlib.contextmanager
def storm(python: Path, uri: str, run_id: str, folder: Path, access: Access) -> Iterator[list[Path]]:
    """Clients that log until they are through, as they have to be; the files that tell how far they are."""
    environ = {**os.environ, **QUIET, **PATIENCE, **access.variables}
    environ |= {"MLFLOW_TRACKING_URI": uri, "HOME": str(folder)}
    command = (str(python), str(STORM), run_id, str(CLIENTS), str(POINTS))
    with open(folder / "storm.log", "wb") as log:
        clients = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield [folder / f"client-{number}" for number in range(CLIENTS)]
        assert clients.wait(300) == 0, (folder / "storm.log").read_text()[-3000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(clients.pid, signal.SIGKILL)
        clients.wait()


def acknowledged(told: list[Path]) -> int:
    """How many points the clients know to be logged."""
    lasts = (file.read_text().rpartition("\n")[0].rpartition("\n")[2] for file in told if file.exists())
    return sum(int(last) for last in lasts if last.isdigit())


def assert_all_there(uri: str, run_id: str, access: Access) -> None:
    with calling(uri, access.headers) as caller:
        for number in range(CLIENTS):
            history = caller.done("GET", "metrics/get-history", run_id=run_id, metric_key=f"m{number}")
            points = history["metrics"]
            assert [point["step"] for point in points] == list(range(POINTS))
            assert all(point["value"] == point["step"] / 2 for point in points)


def test_every_point_is_there_once(
    backend: Backend, access: Access, client_python: ClientPython, tmp_path: Path
) -> None:
    python = client_python("3")
    with hosted(tmp_path, *backend.options(tmp_path), *access.options) as server:
        with calling(server.uri, access.headers) as caller:
            run_id = begun(caller)
        with storm(python, server.uri, run_id, tmp_path, access) as told:
            wait_until(lambda: acknowledged(told) > POINTS, seconds=240)
            if backend.folder:
                back_up(tmp_path)
        assert_all_there(server.uri, run_id, access)
        with calling(server.uri, access.headers) as caller:
            caller.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1)
        assert not server.events("bug") and not server.events("worker died")
        assert all(event["status"] == 200 for event in server.events("request"))
    if backend.folder:
        verify(tmp_path / "store")
        verify(tmp_path / "backup")


def test_nothing_that_was_acknowledged_is_lost_with_the_server(
    backend: Backend, access: Access, client_python: ClientPython, tmp_path: Path
) -> None:
    python, port = client_python("3"), free_port()
    options = (*backend.options(tmp_path), *access.options)
    with hosted(tmp_path, *options, port=port) as server, calling(server.uri, access.headers) as caller:
        run_id, uri = begun(caller), server.uri
        path = f"{ARTIFACTS}/0/{run_id}/artifacts/cut"
        assert caller.raw("PUT", f"{path}-not", b"whole")[0] == 200
        with storm(python, uri, run_id, tmp_path, access) as told:
            wait_until(lambda: acknowledged(told) > POINTS, seconds=240)
            stalled = half_sent(port, path, access)
            server.kill()
            before = acknowledged(told)
            with hosted(tmp_path, *options, port=port) as again:
                stalled.close()
                wait_until(lambda: acknowledged(told) == CLIENTS * POINTS, seconds=240)
                assert before < CLIENTS * POINTS
                assert_all_there(uri, run_id, access)
                with calling(uri, access.headers) as later:
                    listed = later.done("GET", "artifacts/list", run_id=run_id)["files"]
                    assert [each["path"] for each in listed] == ["cut-not"]
                    assert later.raw("GET", path)[0] == 404
                    later.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1)
                assert not again.events("bug")
    if backend.folder:
        verify(tmp_path / "store")


def begun(caller: Caller) -> str:
    made = caller.done("POST", "runs/create", experiment_id="0", run_name="storm")
    return str(made["run"]["info"]["run_id"])


def half_sent(port: int, path: str, access: Access) -> socket.socket:
    """The connection of an upload whose second half never comes."""
    connection = socket.create_connection(("127.0.0.1", port))
    told = "".join(f"{name}: {value}\r\n" for name, value in access.headers.items())
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\n{told}Content-Length: 4000000\r\n\r\n"
    connection.sendall(head.encode() + b"x" * 2_000_000)
    time.sleep(0.3)
    return connection


def back_up(folder: Path) -> None:
    """While clients write."""
    command = (*MLPROJ, "store", "backup", str(folder / "backup"), "--store", str(folder / "store"))
    subprocess.run(command, check=True, capture_output=True)


def verify(store: Path) -> None:
    subprocess.run((*MLPROJ, "verify", "--store", str(store)), check=True, capture_output=True)
