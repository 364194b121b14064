"""How a server is asked, as MLflow's client does it, and what is said of one that does not do so."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from mlproj.errors import MlprojError, NotFound, StoreError, UsageError
from mlproj.remote.connection import LONGEST_WAIT, Away, Connection, Stranger
from mlproj.remote.credentials import Credentials, read_credentials
from tests.certificates import self_signed
from tests.remote.stub import Stub, serving

NAMED = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "käse"}
SECRET = "hunter2hunter2"


def connected(uri: str, **environ: str) -> Connection:
    return Connection(uri, read_credentials(uri, environ), environ)


@contextlib.contextmanager
def hanging_up() -> Iterator[tuple[str, list[bytes]]]:
    """A server that listens to what each caller says, and hangs up: its address, and what it has heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        heard.append(client.recv(65536))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        finally:
            # To close it wakes nobody who waits for a caller.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()


@pytest.mark.parametrize(
    ("userinfo", "environ", "sent"),
    [
        ("", {}, None),
        ("", NAMED, basic("ada:käse")),
        ("", {"MLFLOW_TRACKING_TOKEN": "abc"}, "Bearer abc"),
        ("", {**NAMED, "MLFLOW_TRACKING_TOKEN": "abc"}, basic("ada:käse")),
        ("", {"MLFLOW_TRACKING_USERNAME": "ada"}, None),
        ("bob:p%40ss@", {}, basic("bob:p@ss")),
        ("bob:pass@", NAMED, basic("ada:käse")),
    ],
)
def test_credentials_are_those_of_mlflows_client(
    stub: Stub, userinfo: str, environ: dict[str, str], sent: str | None
) -> None:
    connected(stub.uri.replace("//", f"//{userinfo}"), HOME="/nowhere", **environ).get("experiments/get")
    assert stub.asked[0].headers.get("Authorization") == sent


def test_credentials_are_read_from_mlflows_file(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_text(
        "[mlflow]\nmlflow_tracking_username = ada\nmlflow_tracking_password = 100%sure\n"
    )
    connected(stub.uri, HOME=str(tmp_path)).get("experiments/get")
    connected(stub.uri, HOME=str(tmp_path), MLFLOW_TRACKING_USERNAME="bob").get("experiments/get")
    logins = [asked.headers["Authorization"] for asked in stub.asked]
    assert logins == [basic("ada:100%sure"), basic("bob:100%sure")]


def test_a_broken_file_of_credentials_is_none(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_bytes(b"\xff nonsense")
    connected(stub.uri, HOME=str(tmp_path)).get("experiments/get")
    assert "Authorization" not in stub.asked[0].headers


def test_a_server_may_be_below_a_path(stub: Stub) -> None:
    connected(f"{stub.uri}/ml flow/").get("runs/get", run_id="a/b", run_uuid=None)
    connected(f"{stub.uri}/mlflow").post("runs/update", run_id="x")
    assert [asked.path for asked in stub.asked] == [
        "/ml%20flow/api/2.0/mlflow/runs/get?run_id=a%2Fb",
        "/mlflow/api/2.0/mlflow/runs/update",
    ]
    assert json.loads(stub.asked[1].body) == {"run_id": "x"}


def in_form(code: str, message: str) -> bytes:
    return json.dumps({"error_code": code, "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "content", "kind", "words"),
    [
        (404, in_form("RESOURCE_DOES_NOT_EXIST", "No run"), NotFound, "does not hold that: No run"),
        (400, in_form("RESOURCE_DOES_NOT_EXIST", "No run"), NotFound, "No run"),
        (400, in_form("INVALID_PARAMETER_VALUE", "too long"), UsageError, r"refuses \(400\): too long"),
        (401, b"<html>", StoreError, r"does not let us in \(401\)"),
        (403, in_form("PERMISSION_DENIED", "no"), StoreError, r"does not let us in \(403\): no"),
        (404, b"<html>", Stranger, "does not answer as a tracking server does"),
        (500, b"", StoreError, r"failed \(500\)"),
        (200, b"<html>", Stranger, "does not answer as a tracking server does"),
        (302, b"/elsewhere", StoreError, "302|redirect"),
    ],
)
def test_what_a_server_complains_of_is_told(
    stub: Stub, status: int, content: bytes, kind: type[MlprojError], words: str
) -> None:
    stub.answers = [(status, content)]
    with pytest.raises(kind, match=words) as caught:
        connected(stub.uri.replace("//", f"//ada:{SECRET}@")).post("runs/create")
    assert type(caught.value) is kind
    assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_what_a_server_says_is_not_told_at_length(stub: Stub) -> None:
    stub.answers = [(400, in_form("BAD", f"see http://ada:{SECRET}@host {'x' * 5000}"))]
    with pytest.raises(UsageError) as caught:
        connected(stub.uri).get("runs/get")
    assert SECRET not in caught.value.message and len(caught.value.message) < 500


@pytest.mark.parametrize(("status", "hint"), [(413, "--max-request"), (429, "try again")])
def test_a_limit_of_the_server_is_no_fault_of_the_command(stub: Stub, status: int, hint: str) -> None:
    stub.answers = [(status, in_form("LIMIT", "no more than that"))] * 5
    with pytest.raises(StoreError, match=rf"refuses \({status}\): no more than that") as caught:
        connected(stub.uri).post("runs/create")
    assert caught.value.hint is not None and hint in caught.value.hint


def test_a_server_that_hangs_up_on_http_may_speak_tls() -> None:
    with hanging_up() as (uri, _), pytest.raises(Away) as caught:
        connected(uri).get("experiments/get")
    assert caught.value.hint == "check that the server runs; is it `https://`?"


def test_a_busy_server_is_asked_again(stub: Stub) -> None:
    stub.answers = [(503, b""), (429, b""), (200, b'{"run": 1}')]
    assert connected(stub.uri).post("runs/create") == {"run": 1}
    assert len(stub.asked) == 3


def test_it_is_asked_again_when_it_wants_to_be(stub: Stub) -> None:
    stub.answers = [(429, b"1"), (200, b"{}")]
    begun = time.monotonic()
    connected(stub.uri).post("runs/create")
    assert time.monotonic() - begun >= 1


def test_no_server_has_us_wait_for_ever() -> None:
    retry = connected("http://127.0.0.1:1")._pool.connection_pool_kw["retries"]
    answer = urllib3.HTTPResponse(headers={"Retry-After": "86400"}, status=429)
    assert retry.get_retry_after(answer) == LONGEST_WAIT


def test_a_server_that_is_away_is_told_of_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(Away, match="cannot be reached: Connection refused") as caught:
        connected(f"http://ada:{SECRET}@127.0.0.1:{port}").get("experiments/get")
    assert time.monotonic() - begun < 5
    assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Away, match="timed out"):
            Connection(uri, Credentials(), {}, patience=0.1).get("experiments/get")


def test_what_may_have_been_done_is_not_asked_for_again() -> None:
    with hanging_up() as (uri, heard), pytest.raises(Away):
        connected(uri).post("runs/create")
    assert len(heard) == 1


def test_a_proxy_is_asked_unless_the_server_is_exempt(stub: Stub) -> None:
    connected("http://tracking.example", HTTP_PROXY=f"http://bob:pass@127.0.0.1:{stub.port}").get("runs/get")
    connected(stub.uri, http_proxy="http://127.0.0.1:1", no_proxy="localhost,127.0.0.1").get("runs/get")
    first, second = stub.asked
    assert first.path == "http://tracking.example/api/2.0/mlflow/runs/get"
    assert first.headers["proxy-authorization"] == basic("bob:pass")
    assert second.path == "/api/2.0/mlflow/runs/get"


def test_whom_to_believe_is_said_by_a_variable(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with serving(certificate, key) as stub:
        with pytest.raises(Away, match="certificate") as caught:
            connected(stub.uri).get("runs/get")
        assert caught.value.hint is not None and "MLFLOW_TRACKING_SERVER_CERT_PATH" in caught.value.hint
        for environ in (
            {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)},
            {"REQUESTS_CA_BUNDLE": str(certificate)},
            {"MLFLOW_TRACKING_INSECURE_TLS": "true"},
        ):
            assert connected(stub.uri, **environ).get("runs/get") == {}
    joined = tmp_path / "both.pem"
    joined.write_bytes(key.read_bytes() + certificate.read_bytes())
    with serving(certificate, key, client=certificate) as stub:
        trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)}
        with pytest.raises(Away):
            connected(stub.uri, **trusted).get("runs/get")
        shown = {"MLFLOW_TRACKING_CLIENT_CERT_PATH": str(joined)}
        assert connected(stub.uri, **trusted, **shown).get("runs/get") == {}


def test_certificates_that_cannot_be_read_are_a_persons_mistake() -> None:
    with pytest.raises(UsageError, match="a certificate cannot be read"):
        connected("https://127.0.0.1:1", MLFLOW_TRACKING_SERVER_CERT_PATH=os.devnull + "/none")


def test_credentials_show_nothing() -> None:
    environ = {"MLFLOW_TRACKING_TOKEN": SECRET}
    assert SECRET not in repr(read_credentials("http://127.0.0.1", environ))
