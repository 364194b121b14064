"""`mlproj server` as processes: where it listens, what it survives, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.server.calling import API, ARTIFACTS, calling, wait_until
from tests.server.hosted import MLPROJ, Hosted, hosted


def refused(*options: str, folder: Path) -> tuple[int, str]:
    """How a server ends that cannot begin, and what it says."""
    done = subprocess.run(
        (*MLPROJ, "server", "--port", "0", *options), cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert not (folder / ".mlproj").exists(), "nothing was made"
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = refused("--port", str(port), folder=tmp_path)
    assert code == 2 and f"port {port} of `127.0.0.1` is taken" in said and "--port" in said


@pytest.mark.parametrize("options", [(), ("--no-auth",), ("--allow-anyone",)])
def test_other_machines_are_not_let_in_by_the_way(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, said = refused("--host", "0.0.0.0", *options, folder=tmp_path)
    assert code == 2 and "--no-auth --allow-anyone" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--host", "no.such.host.invalid"), "no address of this machine"),
        (("--registry-store-uri", "sqlite:///other.db"), "registered where runs are"),
        (("--default-artifact-root", "s3://bucket"), "--artifacts-destination"),
        (("--backend-store-uri", "sqlite:///"), "names no file"),
        (("--ssl-keyfile", "key.pem"), "--ssl-certfile"),
        (("--ssl-certfile", "none.pem"), "No such file"),
        (("--rate-limit", "5/fortnight"), "no rate"),
        (("--root-path", "/a b"), "beginning of a path"),
        (("--log-format", "xml"), "text or json"),
        (("--max-request", "much"), "no size"),
        (("--app-name", "other"), "--auth"),
        (("--x-frame-options", "PERHAPS"), "SAMEORIGIN"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    code, said = refused(*options, folder=tmp_path)
    assert code in (2, 5) and told in said and "Traceback" not in said


def test_anyone_is_let_in_where_that_was_said_twice(tmp_path: Path) -> None:
    options = ("--host", "0.0.0.0", "--no-auth", "--allow-anyone", "--workers", "1")
    with hosted(tmp_path, *options) as server:
        port = server.uri.rpartition(":")[2]
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/version").status == 200


def test_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    options = ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key), "--workers", "2")
    with hosted(tmp_path, *options) as server:
        assert server.uri.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=certificate)
        assert urllib.request.urlopen(f"{server.uri}/version", context=trusting).status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            urllib.request.urlopen(server.uri.replace("https", "http"), timeout=10)


def test_a_worker_that_dies_is_replaced_and_others_go_on(tmp_path: Path) -> None:
    with hosted(tmp_path, "--workers", "2") as server:
        first = server.workers()
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len({*server.workers()} - {*first}) == 1)
        for _ in range(10):
            assert urllib.request.urlopen(f"{server.uri}/version").status == 200
        assert [event["how"] for event in server.events("worker died")] == ["signal 9"]


def test_workers_end_with_the_process_that_made_them(tmp_path: Path) -> None:
    with hosted(tmp_path, "--workers", "2") as server:
        workers = server.workers()
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))
        port = int(server.uri.rpartition(":")[2])
        socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_answered_before_the_end(tmp_path: Path, number: int) -> None:
    with hosted(tmp_path, "--workers", "2") as server, calling(server.uri) as caller:
        run = caller.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        path = f"{ARTIFACTS}/0/{run}/artifacts/slow"
        sent, answers = threading.Event(), []

        def upload() -> None:
            connection = http.client.HTTPConnection(server.uri.removeprefix("http://"), timeout=30)
            connection.putrequest("PUT", path)
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"a")
            sent.set()
            wait_until(lambda: not listens(server))
            connection.send(b"b")
            answers.append(connection.getresponse().status)

        thread = threading.Thread(target=upload)
        thread.start()
        sent.wait(10)
        time.sleep(0.3)
        server.process.send_signal(number)
        thread.join(30)
        assert (answers, server.process.wait(30)) == ([200], 0)
        assert server.events("ended")


def listens(server: Hosted) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(server.uri.rpartition(":")[2])), 5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("again", [False, True])
def test_the_end_waits_for_nobody_longer_than_it_was_told(tmp_path: Path, again: bool) -> None:
    options = ("--workers", "1", "--grace", "60" if again else "0.5")
    with hosted(tmp_path, *options) as server:
        stalled = socket.create_connection(("127.0.0.1", int(server.uri.rpartition(":")[2])))
        stalled.sendall(
            b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
        time.sleep(0.5)
        server.process.terminate()
        if again:
            time.sleep(0.5)
            assert server.process.poll() is None
            server.process.terminate()
        assert server.process.wait(20) == 0
        stalled.close()


def test_figures_are_of_all_workers_and_outlive_one(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    earlier, other = figures / "mlproj-server" / "counter_1.db", figures / "mlflow.db"
    earlier.parent.mkdir(parents=True)
    for file in (earlier, other):
        file.write_bytes(b"of others")
    with hosted(tmp_path, "--workers", "3", "--expose-prometheus", str(figures)) as server:
        assert other.exists() and not earlier.exists()
        for _ in range(30):
            urllib.request.urlopen(f"{server.uri}{API}/experiments/get?experiment_id=0").close()
        with calling(server.uri) as caller:
            assert caller.refused("GET", "/nowhere/at/all") == (404, "ENDPOINT_NOT_FOUND")
        labels = f'method="GET",route="{API}/experiments/get",status="200"'
        nowhere = 'route="none",status="404"} 1.0'
        # A request is counted once its answer is out, which may be after its caller has read it.
        wait_until(
            lambda: all(
                each in page(server) for each in (f"mlproj_http_requests_total{{{labels}}} 30.0", nowhere)
            )
        )
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: bool(server.events("worker began")))
        told = page(server)
        assert f"mlproj_http_requests_total{{{labels}}} 30.0" in told
        assert nowhere in told and "nowhere" not in told
        assert (
            f'mlproj_http_request_duration_seconds_count{{method="GET",route="{API}/experiments/get"}} 30.0'
            in told
        )


def page(server: Hosted) -> str:
    content: bytes = urllib.request.urlopen(f"{server.uri}/metrics").read()
    return content.decode()


def test_the_store_is_the_one_that_commands_find(tmp_path: Path) -> None:
    with hosted(tmp_path) as server, calling(server.uri) as caller:
        caller.done("POST", "experiments/create", name="of a team")
        run = caller.done("POST", "runs/create", experiment_id="0", run_name="shared")["run"]["info"]
        caller.done("POST", "runs/update", run_id=run["run_id"], status="FINISHED", end_time=1)
        listed = subprocess.run((*MLPROJ, "runs", "--json"), cwd=tmp_path, capture_output=True, check=True)
        assert [each["name"] for each in json.loads(listed.stdout)["runs"]] == ["shared"]


def test_artifacts_go_through_the_server_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    for option, begins in (("--serve-artifacts", "mlflow-artifacts:/"), ("--no-serve-artifacts", "file://")):
        with hosted(tmp_path, option, "--workers", "1") as server, calling(server.uri) as caller:
            info = caller.done("POST", "runs/create", experiment_id="0")["run"]["info"]
            assert info["artifact_uri"].startswith(begins)


def test_the_first_answer_does_not_wait_long(tmp_path: Path) -> None:
    """`make bench` measures it, on an idle machine; here it is the processor's time that counts."""
    with hosted(tmp_path) as server:
        fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        assert seconds < 2
