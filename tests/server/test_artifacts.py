"""Artifacts go up and down in pieces, whole or not at all, and stay in their folders."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj.store.folder import FolderStore
from tests.s3_server import S3Server
from tests.server.calling import ARTIFACTS, Caller, calling, wait_until

MIB = 1024 * 1024


@pytest.fixture
def root(anyone: Caller) -> str:
    """The address of a run's artifacts."""
    run = anyone.done("POST", "runs/create", experiment_id="0")["run"]["info"]
    assert run["artifact_uri"] == f"mlflow-artifacts:/0/{run['run_id']}/artifacts"
    return f"{ARTIFACTS}/0/{run['run_id']}/artifacts"


def test_what_goes_up_comes_down_is_listed_and_goes_away(anyone: Caller, root: str) -> None:
    content = os.urandom(3 * MIB + 17)
    assert anyone.raw("PUT", f"{root}/deep/f%20%C3%A9.bin", content) == (200, b"{}")
    assert anyone.raw("PUT", f"{root}/empty", b"") == (200, b"{}")
    assert anyone.raw("GET", f"{root}/deep/f%20%C3%A9.bin") == (200, content)
    run_id = root.split("/")[-2]
    listed = anyone.done("GET", "artifacts/list", run_id=run_id)
    assert listed["files"] == [
        {"path": "deep", "is_dir": True},
        {"path": "empty", "is_dir": False, "file_size": 0},
    ]
    assert anyone.done("GET", "artifacts/list", run_id=run_id, path="deep")["files"] == [
        {"path": "deep/f é.bin", "is_dir": False, "file_size": len(content)}
    ]
    assert anyone.done("GET", ARTIFACTS, path=f"0/{run_id}/artifacts/deep")["files"] == [
        {"path": "f é.bin", "is_dir": False, "file_size": len(content)}
    ]
    assert anyone.raw("DELETE", f"{root}/deep") == anyone.raw("DELETE", f"{root}/deep") == (200, b"{}")
    assert anyone.refused("GET", f"{root}/deep/f%20%C3%A9.bin") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_pieces_without_a_length_go_up(anyone: Caller, root: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    assert anyone.raw("PUT", f"{root}/f", pieces()) == (200, b"{}")
    assert anyone.raw("GET", f"{root}/f") == (200, b"x" * 4_000_000)


@pytest.mark.parametrize(
    "path",
    [
        "../../../store.db",
        "..%2f..%2f..%2fstore.db",
        "%2e%2e/%2e%2e/%2e%2e/store.db",
        "a/../../../../store.db",
        "%00",
        "f%00.txt",
        "a//b",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "",
        ".",
        "..",
    ],
)
def test_no_path_leads_out(anyone: Caller, root: str, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status, content = anyone.raw(method, f"{root}/{path}", b"x" if method == "PUT" else None)
        assert status in (400, 404), (method, content)
        assert b"error_code" in content and b"SQLite" not in content


@pytest.mark.parametrize(
    "path",
    ["store.db", "0/store.db", "blobs", "0/blobs/artifacts/x", "0/../artifacts/x", "0/traces/../artifacts/x"],
)
def test_nothing_of_the_store_but_artifacts_is_there(anyone: Caller, path: str) -> None:
    assert anyone.raw("GET", f"{ARTIFACTS}/{path}")[0] in (400, 404)
    status, answer = anyone("GET", ARTIFACTS, path=path)
    assert status == 400 or answer == {}


def test_a_listing_does_not_lead_out(anyone: Caller, root: str) -> None:
    run_id = root.split("/")[-2]
    for path in ("..", "../..", "/", "a/..", "\0"):
        assert anyone.refused("GET", "artifacts/list", run_id=run_id, path=path) == (
            400,
            "INVALID_PARAMETER_VALUE",
        )


def test_a_link_in_the_folder_is_refused(anyone: Caller, root: str, store: FolderStore) -> None:
    assert anyone.raw("PUT", f"{root}/f", b"x")[0] == 200
    folder = store.root / "runs" / root.split("/")[-2] / "artifacts"
    (folder / "link").symlink_to(store.root / "store.db")
    (folder / "up").symlink_to(store.root)
    for path in ("link", "up/store.db"):
        for method in ("GET", "PUT", "DELETE"):
            assert anyone.raw(method, f"{root}/{path}", b"x" if method == "PUT" else None)[0] == 400
    assert [
        each["path"] for each in anyone.done("GET", "artifacts/list", run_id=root.split("/")[-2])["files"]
    ] == ["f"]


def test_a_cut_upload_leaves_nothing(anyone: Caller, root: str, store: FolderStore) -> None:
    connection = cut_upload(anyone, f"{root}/new/f")
    uploads = store.root / "uploads"
    wait_until(lambda: any(uploads.iterdir()) if uploads.exists() else False)
    connection.close()
    wait_until(lambda: not any(uploads.iterdir()))
    assert not (store.root / "runs" / root.split("/")[-2] / "artifacts" / "new").exists()
    assert anyone.raw("PUT", f"{root}/new/f", b"whole")[0] == 200


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=7-", 7, 10),
        ("bytes=0-", 0, 10),
        ("bytes=7-99", 7, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-99", 0, 10),
        ("bytes= 9-9 ", 9, 10),
    ],
)
def test_a_range_is_answered_with_that_part(
    anyone: Caller, root: str, asked: str, first: int, stop: int
) -> None:
    anyone.raw("PUT", f"{root}/f", b"0123456789")
    status, content, headers = anyone.whole("GET", f"{root}/f", headers={"Range": asked})
    assert (status, content) == (206, b"0123456789"[first:stop])
    assert headers["content-range"] == f"bytes {first}-{stop - 1}/10"
    assert headers["content-length"] == str(stop - first) and headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    "asked", ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=1", "²"]
)
def test_what_is_no_single_range_is_answered_with_the_whole(anyone: Caller, root: str, asked: str) -> None:
    anyone.raw("PUT", f"{root}/f", b"0123456789")
    header = asked.encode("latin-1", "replace").decode("latin-1")
    status, content, headers = anyone.whole("GET", f"{root}/f", headers={"Range": header})
    assert (status, content) == (200, b"0123456789") and "content-range" not in headers
    named = {"Range": "bytes=2-4", "If-Range": '"some tag"'}
    assert anyone.whole("GET", f"{root}/f", headers=named)[:2] == (200, b"0123456789")


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-11", "bytes=-0", f"bytes={'9' * 18}-"])
def test_a_range_beyond_the_end_is_refused(anyone: Caller, root: str, asked: str) -> None:
    anyone.raw("PUT", f"{root}/f", b"0123456789")
    status, content, headers = anyone.whole("GET", f"{root}/f", headers={"Range": asked})
    assert (status, headers["content-range"]) == (416, "bytes */10")
    assert json.loads(content)["error_code"] == "INVALID_PARAMETER_VALUE"
    anyone.raw("PUT", f"{root}/empty", b"")
    assert anyone.whole("GET", f"{root}/empty", headers={"Range": "bytes=0-"})[0] == 416


def test_a_download_is_no_page(anyone: Caller, root: str) -> None:
    anyone.raw("PUT", f"{root}/page.html", b"<script>")
    parts = urlsplit(anyone.uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{root}/page.html")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")


def cut_upload(caller: Caller, path: str) -> socket.socket:
    """A connection through which the beginning of a file has been sent."""
    parts = urlsplit(caller.uri)
    assert parts.hostname is not None
    connection = socket.create_connection((parts.hostname, parts.port or 80))
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {8 * MIB}\r\n\r\n"
    connection.sendall(head.encode() + bytes(3 * MIB))
    return connection


PROGRAM = """
import socket, sys
from pathlib import Path
from mlproj.server.access import Guard, Grant
from mlproj.server.app import create_app
from mlproj.server.serving import Serving
from mlproj.wiring import artifacts_of, open_store, tracking_of

store = open_store({}, Path("/"), sys.argv[1], create=True, destination=sys.argv[2] or None)
app = create_app(tracking_of(store), artifacts_of(store), proxied=True)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
Serving(Guard(app, Grant(), token=None), [listener]).run()
"""


@pytest.mark.parametrize(("place", "most"), [("folder", 150), ("s3", 175)])
def test_a_large_file_takes_little_memory(tmp_path: Path, place: str, most: int, s3: S3Server) -> None:
    """It shows what a whole GiB would: held, it would not fit. The library for S3 takes 45 MiB by itself."""
    size = (256 if place == "folder" else 128) * MIB
    server = subprocess.Popen(
        (sys.executable, "-c", PROGRAM, str(tmp_path / "store"), s3.bucket() if place == "s3" else ""),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        path = f"{ARTIFACTS}/0/run/artifacts/f"
        connection.request("PUT", path, _pieces(size), {"Content-Length": str(size)})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"{}")
        connection.request("GET", path)
        answer = connection.getresponse()
        arrived = 0
        while piece := answer.read(MIB):
            arrived += len(piece)
        assert arrived == size
        connection.close()
        _send_in_parts(f"http://127.0.0.1:{port}", size)
        # Not what `wait4` tells: that peak begins with the one of whoever started the process.
        (peak,) = re.findall(
            r"^VmHWM:\s*(\d+) kB$", Path(f"/proc/{server.pid}/status").read_text(), re.MULTILINE
        )
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()
    assert int(peak) * 1024 < most * MIB


def _send_in_parts(uri: str, size: int, parts: int = 4) -> None:
    below, path = "0/run/artifacts", "/api/2.0/mlflow-artifacts/mpu"
    with calling(uri) as caller:
        made = caller.done("POST", f"{path}/create/{below}", path="g", num_parts=parts)
        sent = []
        for credential in made["credentials"]:
            to = credential["url"].removeprefix(uri)
            status, _, headers = caller.whole(
                "PUT", to, _pieces(size // parts), {"Content-Length": str(size // parts)}
            )
            assert status == 200
            sent.append({"part_number": credential["part_number"], "etag": headers["etag"]})
        caller.done("POST", f"{path}/complete/{below}", path="g", upload_id=made["upload_id"], parts=sent)
        last = {"Range": f"bytes={size - 10}-"}
        _, content, headers = caller.whole("GET", f"{ARTIFACTS}/{below}/g", headers=last)
        assert (content, headers["content-range"]) == (bytes(10), f"bytes {size - 10}-{size - 1}/{size}")


def _pieces(size: int) -> Iterator[bytes]:
    piece = bytes(MIB)
    for _ in range(size // MIB):
        yield piece
