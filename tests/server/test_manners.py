"""What every request passes on its way in: names, origins, sizes, pace, prefixes, probes, figures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mlproj.server.access import Application, Message, Receive, Scope, Send
from mlproj.server.app import create_app
from mlproj.server.callers import CALLER, Anybody
from mlproj.server.hosting.around import Place, surrounded
from mlproj.server.hosting.gate import Gate
from mlproj.server.hosting.log import Log, shown_path
from mlproj.server.hosting.rates import Ledger
from mlproj.server.hosting.readiness import Probed
from mlproj.server.hosting.rules import Rate, Rules
from mlproj.server.hosting.worker import Entrance, Opened
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import API, ARTIFACTS, Caller, calling, served
from tests.server.conftest import files_of

VERSION = "/version"


@contextlib.contextmanager
def ruled(store: FolderStore, rules: Rules, entrance: Entrance | None = None) -> Iterator[Caller]:
    """A caller of a server that asks this of requests."""
    tracking = open_tracking(store)
    opened = Opened(store=store, tracking=tracking, artifacts=files_of(store))
    held = contextlib.ExitStack()
    place = Place(
        held=held,
        worker=0,
        own="tracking.internal",
        log=Log(as_json=True),
        counters=None,
        ledger=None if rules.rate is None else Ledger(rules.rate),
    )
    app = create_app(tracking, opened.artifacts, proxied=True, store=store)
    with served(surrounded(app, opened, rules, place, entrance)) as uri, calling(uri) as caller:
        yield caller
    held.close()
    tracking.close()


@pytest.fixture
def caller(store: FolderStore) -> Iterator[Caller]:
    with ruled(store, Rules()) as caller:
        yield caller


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:5000", "localhost", "[::1]:5000", "10.1.2.3", "192.168.0.1:80", "172.16.5.5"),
        *("tracking.internal:5000", "TRACKING.internal"),
    ],
)
def test_what_is_near_may_be_called_by_its_name(caller: Caller, host: str) -> None:
    assert caller.raw("GET", VERSION, headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.evil.example", "8.8.8.8", "10.1.2.3.evil.example", "", "[::1"]
)
def test_a_name_that_was_made_to_stand_for_us_is_refused(caller: Caller, host: str) -> None:
    status, content = caller.raw("GET", VERSION, headers={"Host": host})
    assert status == 403 and json.loads(content)["error_code"] == "PERMISSION_DENIED"


def test_hosts_are_those_that_are_named(store: FolderStore) -> None:
    with ruled(store, Rules(hosts=("mlflow.example.org", "app-*.internal:81"))) as caller:
        for host, status in (
            ("mlflow.example.org", 200),
            ("mlflow.example.org:443", 200),
            ("app-1.internal:81", 200),
            ("app-1.internal:82", 403),
            ("localhost", 403),
            ("xmlflow.example.org", 403),
        ):
            assert caller.raw("GET", VERSION, headers={"Host": host})[0] == status, host
        assert caller.raw("GET", "/health", headers={"Host": "whatever"})[0] == 200
    with ruled(store, Rules(hosts=("*",))) as caller:
        assert caller.raw("GET", VERSION, headers={"Host": "whatever.example"})[0] == 200


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:8888", "localhost", 200),
        ("https://127.0.0.1", "localhost", 200),
        ("http://tracking.internal:5000", "tracking.internal:5000", 200),
        # Whatever runs on a colleague's machine has no say at a server elsewhere.
        ("http://localhost:8888", "tracking.internal:5000", 403),
        ("http://127.0.0.1:8888", "10.1.2.3", 403),
        ("http://evil.example", "localhost", 403),
        ("http://localhost.evil.example", "localhost", 403),
        ("null", "localhost", 403),
        ("file://localhost", "localhost", 403),
    ],
)
def test_pages_of_others_may_not_call(caller: Caller, origin: str, host: str, status: int) -> None:
    headers = {"Origin": origin, "Host": host, "Content-Type": "application/json"}
    body = json.dumps({"name": "made by a page"})
    assert caller.raw("POST", f"{API}/experiments/create", body, headers)[0] == status
    assert caller("GET", "experiments/get-by-name", experiment_name="made by a page")[0] == (
        200 if status == 200 else 404
    )


def test_a_page_that_anybody_between_can_make_is_not_ours() -> None:
    async def told(origin: bytes, scheme: str) -> int:
        statuses = list[int]()

        async def send(message: Message) -> None:
            statuses.append(message.get("status", 0))

        async def inner(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        headers = [(b"host", b"tracking.internal"), (b"origin", origin)]
        gate = Gate(inner, Rules(), "tracking.internal")
        await gate({"headers": headers, "scheme": scheme}, receive, send)
        return statuses[0]

    for origin, scheme, status in (
        (b"https://tracking.internal", "https", 200),
        (b"http://tracking.internal", "https", 403),
        # Behind a proxy it is not known that a page was encrypted.
        (b"https://tracking.internal", "http", 200),
        (b"http://tracking.internal", "http", 200),
    ):
        assert asyncio.run(told(origin, scheme)) == status, (origin, scheme)


def test_pages_that_are_named_may_call_and_see_answers(store: FolderStore) -> None:
    page = {"Origin": "https://app.example.org"}
    with ruled(store, Rules(origins=("https://*.example.org",))) as caller:
        status, _, headers = caller.whole("GET", VERSION, headers=page)
        assert (status, headers["access-control-allow-origin"]) == (200, page["Origin"])
        asked = {**page, "Access-Control-Request-Method": "POST"}
        status, _, headers = caller.whole("OPTIONS", f"{API}/runs/create", headers=asked)
        assert status == 200 and "POST" in headers["access-control-allow-methods"]
        assert caller.raw("GET", VERSION, headers={"Origin": "https://example.com"})[0] == 403
    with ruled(store, Rules(origins=("*",))) as caller:
        status, _, headers = caller.whole("GET", VERSION, headers={"Origin": "https://x.example"})
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        assert headers["access-control-allow-credentials"] is None


def test_answers_say_what_browsers_may_do_with_them(store: FolderStore, caller: Caller) -> None:
    _, _, headers = caller.whole("GET", VERSION)
    assert headers["x-frame-options"] == "SAMEORIGIN" and headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    with ruled(store, Rules(frame=None)) as other:
        assert other.whole("GET", VERSION)[2]["x-frame-options"] is None
    with ruled(store, Rules(checked=False)) as other:
        foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert other.raw("GET", VERSION, headers=foreign)[0] == 200


def test_what_is_too_large_is_refused_and_not_kept(store: FolderStore) -> None:
    with ruled(store, Rules(most_bytes=1000)) as caller:
        run = caller.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        path = f"{ARTIFACTS}/0/{run}/artifacts/file"
        assert caller.raw("PUT", path, b"x" * 1000) == (200, b"{}")
        status, content = caller.raw("PUT", f"{path}-2", b"x" * 1001)
        assert status == 413 and b"larger than 1000 bytes" in content
    with ruled(store, Rules(most_bytes=1000)) as caller:
        # In pieces, of which nobody said how many there are.
        pieces = (b"x" * 100 for _ in range(11))
        assert caller.raw("PUT", f"{path}-3", pieces)[0] == 413
    with ruled(store, Rules(most_bytes=1000)) as caller:
        listed = caller.done("GET", "artifacts/list", run_id=run)["files"]
        assert [each["path"] for each in listed] == ["file"]


def test_who_comes_too_fast_has_to_wait(store: FolderStore) -> None:
    with ruled(store, Rules(rate=Rate(requests=5, seconds=3600.0))) as caller:
        assert [caller.raw("GET", VERSION)[0] for _ in range(6)] == [200] * 5 + [429]
        status, content, headers = caller.whole("GET", VERSION)
        assert status == 429 and json.loads(content)["error_code"] == "REQUEST_LIMIT_EXCEEDED"
        assert 0 < int(headers["retry-after"]) <= 720
        assert caller.raw("GET", "/health")[0] == 200


def test_users_are_counted_each_by_themselves(store: FolderStore) -> None:
    closed: list[str] = []

    @contextlib.contextmanager
    def entrance(_: Any, inner: Application, unexpected: Any) -> Iterator[Application]:
        async def told(scope: Any, receive: Any, send: Any) -> None:
            known = Anybody()
            known.name = dict(scope["headers"])[b"x-user"].decode()
            await inner({**scope, CALLER: known}, receive, send)

        yield told
        closed.append("closed")

    with ruled(store, Rules(rate=Rate(requests=2, seconds=3600.0)), entrance) as caller:
        answers = [
            caller.raw("GET", VERSION, headers={"X-User": name})[0] for name in ("ada", "bob", "ada", "ada")
        ]
        assert answers == [200, 200, 200, 429] and not closed
    assert closed


def test_a_pace_is_even_after_the_first_burst() -> None:
    clock = [100.0]
    ledger = Ledger(Rate(requests=10, seconds=10.0), lambda: clock[0])
    for _ in range(10):
        assert ledger.wait_s("ada") == 0
    assert ledger.wait_s("ada") == pytest.approx(1.0)
    assert ledger.wait_s("bob") == 0
    clock[0] += 1.0
    assert ledger.wait_s("ada") == 0
    assert ledger.wait_s("ada") > 0
    clock[0] += 1000.0
    assert [ledger.wait_s("ada") for _ in range(11)][:10] == [0] * 10


def test_many_callers_have_room() -> None:
    ledger = Ledger(Rate(requests=1, seconds=1000.0), lambda: 1.0)
    assert sum(ledger.wait_s(f"caller {number}") == 0 for number in range(2000)) == 2000
    assert sum(ledger.wait_s(f"caller {number}") > 0 for number in range(2000)) == 2000


def test_paths_may_begin_with_what_a_proxy_has_there(store: FolderStore) -> None:
    with ruled(store, Rules(prefix="/team/mlflow")) as caller:
        for path in (VERSION, "/health", "/ready"):
            assert caller.raw("GET", f"/team/mlflow{path}")[0] == caller.raw("GET", path)[0] == 200
        assert caller.raw("GET", f"/team/mlflowx{VERSION}")[0] == 404
        run = caller.done("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        place = f"/api/2.0/mlflow-artifacts/mpu/create/0/{run}/artifacts"
        told = caller.done("POST", place, path=f"0/{run}/artifacts/f", num_parts=1)
        assert told["credentials"][0]["url"].startswith(f"{caller.uri}/team/mlflow/api/")


def test_proxies_are_believed_only_where_they_are_named(
    store: FolderStore, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for trusted, client in (("127.0.0.1", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1"), (None, "127.0.0.1")):
        with ruled(store, Rules(forwarded_by=trusted)) as caller:
            caller.raw("GET", VERSION, headers=headers)
        assert [event["client"] for event in logged(capfd)] == [client]


def test_requests_are_told_without_what_is_secret(
    store: FolderStore, capfd: pytest.CaptureFixture[str]
) -> None:
    with ruled(store, Rules()) as caller:
        _, _, headers = caller.whole(
            "GET",
            f"/t/hidden{VERSION}?password=hidden",
            headers={"Authorization": "Basic hidden", "X-Request-ID": "mine-1"},
        )
        assert headers["x-request-id"] == "mine-1"
        assert caller.whole("GET", VERSION, headers={"X-Request-ID": "\"'}{"})[2]["x-request-id"] != "\"'}{"
    first, second = logged(capfd)
    assert "hidden" not in json.dumps([first, second])
    assert (first["path"], first["status"], first["request_id"]) == (f"/t/***{VERSION}", 404, "mine-1")
    assert second["status"] == 200 and second["went"] > 0 and second["ms"] > 0


def test_a_fault_of_what_stands_around_the_application_is_told(
    store: FolderStore, capfd: pytest.CaptureFixture[str]
) -> None:
    @contextlib.contextmanager
    def entrance(_: Any, inner: Application, unexpected: Any) -> Iterator[Application]:
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            raise RuntimeError("broken")

        yield broken

    with ruled(store, Rules(), entrance) as caller:
        assert caller("GET", VERSION) == (500, {"error_code": "INTERNAL_ERROR", "message": "internal error"})
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(event["event"], event.get("status")) for event in told] == [("bug", None), ("request", 500)]
    assert "RuntimeError: broken" in told[0]["traceback"]


def test_a_request_has_one_host(store: FolderStore) -> None:
    with ruled(store, Rules()) as caller:
        parts = urlsplit(caller.uri)
        for hosts in (("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")):
            with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
                lines = "".join(f"Host: {host}\r\n" for host in hosts)
                connection.sendall(f"GET {VERSION} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
                status = connection.makefile("rb").readline().split()[1]
            assert status in (b"400", b"403"), hosts


def test_a_path_cannot_forge_a_line() -> None:
    assert "\n" not in json.dumps(shown_path("/x\n2026 info request"))
    assert len(shown_path("/" + "x" * 100_000)) < 1000
    link = f"/below/l/u.ada/1700000000/{'a' * 64}/api/2.0/mlflow-artifacts/artifacts/x"
    assert "a" * 64 not in shown_path(link) and "u.ada" in shown_path(link)
    assert "secret" not in shown_path("/t/secret/api/2.0/mlflow/runs/get")


def test_it_is_ready_while_database_and_artifacts_are(store: FolderStore, caller: Caller) -> None:
    assert caller.raw("GET", "/health") == (200, b"OK")
    assert json.loads(caller.raw("GET", "/ready")[1]) == {"ready": True, "database": "ok", "artifacts": "ok"}


def test_it_is_not_ready_without_its_database(
    store: FolderStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ruled(store, Rules()) as caller:
        (store.root / "store.db").rename(tmp_path / "aside")
        status, content = caller.raw("GET", "/ready")
        (tmp_path / "aside").rename(store.root / "store.db")
        assert (status, json.loads(content)["database"]) == (503, "failed")
        assert str(store.root).encode() not in content
        assert caller.raw("GET", "/health")[0] == 200
    assert [event["check"] for event in logged(capfd, "not ready")] == ["database"]


def test_asking_if_it_is_ready_without_end_asks_the_database_now_and_then() -> None:
    asked, answers = list[int](), list[Message]()

    async def send(message: Message) -> None:
        answers.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        """What nobody asks for here."""

    async def ask() -> None:
        probed = Probed(nothing, {"database": lambda: asked.append(1)}, Log(as_json=True))
        for _ in range(5):
            await asyncio.gather(*(probed({"path": "/ready"}, receive, send) for _ in range(20)))

    asyncio.run(ask())
    assert len([each for each in answers if each.get("status") == 200]) == 100
    assert len(asked) < 5


def logged(capfd: pytest.CaptureFixture[str], event: str = "request") -> list[dict[str, Any]]:
    lines = map(json.loads, capfd.readouterr().err.splitlines())
    return [line for line in lines if line["event"] == event]
