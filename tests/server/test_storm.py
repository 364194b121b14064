"""Many clients log to one run at once, also while the server or its database is killed: every point is there,
none twice."""

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

from tests.conftest import need
from tests.databases import KINDS, present, started
from tests.mlflow_clients import QUIET, ClientPython
from tests.mlflow_servers import free_port
from tests.s3_server import S3Server
from tests.server.calling import ARTIFACTS, Caller, calling, wait_until
from tests.server.hosted import ACCESSES, Kept, Shown, hosted, kept, let_in

STORM = Path(__file__).with_name("storm.py")
CLIENTS, POINTS = 8, 2000
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "8", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}
UNDER_WAY = POINTS // 2
"""So many points are acknowledged, all clients' together, when something is killed."""

CASES = (
    ("sqlite", "password", "folder"),
    ("postgresql", "token", "bucket"),
    ("mariadb", "anybody", "folder"),
)
"""A database, a way to be let in, and where contents are."""


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path) -> tuple[Kept, str]:
    """A new store, and the way to be let in."""
    backend, access, place = request.param
    return kept(backend, tmp_path, s3.bucket() if place == "bucket" else None), access


@contextlib.contextmanager
def storm(python: Path, uri: str, run_id: str, folder: Path, shown: Shown) -> Iterator[list[Path]]:
    """Clients that log until they are through, as they have to be; the files that tell how far they are."""
    environ = {**os.environ, **QUIET, **PATIENCE, **shown.variables}
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


def assert_all_there(caller: Caller, run_id: str) -> None:
    for number in range(CLIENTS):
        history = caller.done("GET", "metrics/get-history", run_id=run_id, metric_key=f"m{number}")
        points = history["metrics"]
        assert [point["step"] for point in points] == list(range(POINTS))
        assert all(point["value"] == point["step"] / 2 for point in points)


def test_every_point_is_there_once(
    case: tuple[Kept, str], client_python: ClientPython, tmp_path: Path
) -> None:
    python, (where, access) = client_python("3"), case
    with hosted(tmp_path, *where.options, *ACCESSES[access]) as server:
        shown = let_in(access, where)
        with calling(server.uri, shown.headers) as caller:
            run_id = begun(caller)
        with storm(python, server.uri, run_id, tmp_path, shown) as told:
            wait_until(lambda: acknowledged(told) > UNDER_WAY, seconds=240)
            if "://" not in where.store:
                where.command("store", "backup", str(tmp_path / "backup"))
        with calling(server.uri, shown.headers) as caller:
            assert_all_there(caller, run_id)
            caller.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1)
        assert not server.events("bug") and not server.events("worker died")
        assert all(event["status"] == 200 for event in server.events("request"))
    where.command("verify")
    if "://" not in where.store:
        where.command("verify", "--store", str(tmp_path / "backup"))


def test_nothing_that_was_acknowledged_is_lost_with_the_server(
    case: tuple[Kept, str], client_python: ClientPython, tmp_path: Path
) -> None:
    """Nor is there anything of an upload that was under way."""
    python, port, (where, access) = client_python("3"), free_port(), case
    options = (*where.options, *ACCESSES[access])
    with hosted(tmp_path, *options, port=port) as server:
        uri, shown = server.uri, let_in(access, where)
        with calling(uri, shown.headers) as caller:
            run_id = begun(caller)
            path = f"{ARTIFACTS}/0/{run_id}/artifacts/cut"
            assert caller.raw("PUT", f"{path}-not", b"whole")[0] == 200
        with storm(python, uri, run_id, tmp_path, shown) as told:
            wait_until(lambda: acknowledged(told) > UNDER_WAY, seconds=240)
            stalled = half_sent(port, path, shown)
            server.kill()
            before = acknowledged(told)
            with (
                hosted(tmp_path, *options, port=port) as again,
                contextlib.closing(stalled),
                calling(uri, shown.headers) as later,
            ):
                wait_until(lambda: acknowledged(told) == CLIENTS * POINTS, seconds=240)
                assert before < CLIENTS * POINTS
                assert_all_there(later, run_id)
                listed = later.done("GET", "artifacts/list", run_id=run_id)["files"]
                assert [each["path"] for each in listed] == ["cut-not"]
                assert later.raw("GET", path)[0] == 404
                later.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1)
                assert not again.events("bug")
    where.command("verify")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_was_acknowledged_is_lost_with_the_database(
    kind: str, client_python: ClientPython, tmp_path: Path
) -> None:
    """And the server that it came back to is the one that it left."""
    need(kind, present(kind))
    python = client_python("3")
    with started(kind, synced=True) as keeper:
        where = Kept(store=keeper.uri(), folder=tmp_path, contents=str(tmp_path / "contents"))
        with hosted(tmp_path, *where.options) as server, calling(server.uri) as caller:
            run_id, workers = begun(caller), set(server.workers())
            with storm(python, server.uri, run_id, tmp_path, Shown()) as told:
                wait_until(lambda: acknowledged(told) > UNDER_WAY, seconds=240)
                keeper.database.kill()
                before = acknowledged(told)
                time.sleep(1)
                keeper.database.start()
            assert before < CLIENTS * POINTS
            assert_all_there(caller, run_id)
            caller.done("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=1)
            assert set(server.workers()) == workers and not server.events("bug")
            assert {event["status"] for event in server.events("request")} <= {200, 503}
        where.command("verify")


def begun(caller: Caller) -> str:
    made = caller.done("POST", "runs/create", experiment_id="0", run_name="storm")
    return str(made["run"]["info"]["run_id"])


def half_sent(port: int, path: str, shown: Shown) -> socket.socket:
    """The connection of an upload whose second half never comes."""
    connection = socket.create_connection(("127.0.0.1", port))
    told = "".join(f"{name}: {value}\r\n" for name, value in shown.headers.items())
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\n{told}Content-Length: 4000000\r\n\r\n"
    connection.sendall(head.encode() + b"x" * 2_000_000)
    time.sleep(0.3)
    return connection
