"""Artifacts go up in parts, each to an address of its own, and are in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from mlproj.housekeeping_ports import GRACE_S
from mlproj.model.run import Run
from mlproj.server.endpoint import Endpoint
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.folder import FolderStore
from tests.server.calling import ARTIFACTS, Caller, calling, wait_until
from tests.server.test_artifacts import MIB, cut_upload

PROXY = "/api/2.0/mlflow-artifacts"


@pytest.fixture
def below(anyone: Caller) -> str:
    """Where a run's artifacts are, below the proxy."""
    run = anyone.done("POST", "runs/create", experiment_id="0")["run"]["info"]
    return f"0/{run['run_id']}/artifacts"


class Upload:
    """One of a caller's."""

    def __init__(self, caller: Caller, below: str, name: str = "f", parts: int = 1) -> None:
        self.caller, self.below, self.name = caller, quote(below), name
        made = caller.done("POST", f"{PROXY}/mpu/create/{self.below}", path=f"/me/{name}", num_parts=parts)
        self.id = made["upload_id"]
        numbers = [each["part_number"] for each in made["credentials"]]
        assert numbers == list(range(1, parts + 1))
        self.paths = [self._path(each["url"]) for each in made["credentials"]]

    def put(self, part: int, content: bytes) -> dict[str, Any]:
        """Sends a part; what a client completes the upload with."""
        status, told, headers = self.caller.whole("PUT", self.paths[part - 1], content)
        assert (status, told) == (200, b"{}")
        assert headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        return {"part_number": part, "etag": headers["etag"], "url": self.paths[part - 1]}

    def complete(self, *parts: dict[str, Any]) -> tuple[int, Any]:
        return self._end("complete", parts=list(parts))

    def abort(self) -> tuple[int, Any]:
        return self._end("abort")

    def content(self) -> tuple[int, bytes]:
        return self.caller.raw("GET", f"{ARTIFACTS}/{self.below}/{quote(self.name)}")

    def _end(self, verb: str, **fields: Any) -> tuple[int, Any]:
        asked = {"path": self.name, "upload_id": self.id, **fields}
        return self.caller("POST", f"{PROXY}/mpu/{verb}/{self.below}", **asked)

    def _path(self, url: str) -> str:
        """The path of an address of the caller's own server."""
        assert url.startswith(f"{self.caller.uri}/")
        return url.removeprefix(self.caller.uri)


def aside(store: FolderStore) -> list[str]:
    folder = store.root / "uploads"
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_parts_become_a_file(anyone: Caller, below: str, store: FolderStore) -> None:
    contents = [os.urandom(2 * MIB + 5), b"", os.urandom(100)]
    upload = Upload(anyone, f"{below}/deep/ü", "a b%é.bin", 3)
    parts = {number: upload.put(number, contents[number - 1]) for number in (3, 1, 2)}
    assert upload.content()[0] == 404
    assert upload.complete(*(parts[number] for number in (1, 2, 3))) == (200, {})
    assert upload.content() == (200, b"".join(contents))
    assert aside(store) == []
    assert upload.complete(parts[1])[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_part_that_is_sent_again_counts_as_it_is_named(anyone: Caller, below: str) -> None:
    upload = Upload(anyone, below, parts=2)
    first, wrong, right = upload.put(1, b"1"), upload.put(2, b"x"), upload.put(2, b"2")
    assert upload.put(2, b"2") == right != wrong
    assert upload.complete(first, right) == (200, {})
    assert upload.content() == (200, b"12")


def test_what_is_not_there_as_it_is_named_is_not_put_in_place(anyone: Caller, below: str) -> None:
    upload = Upload(anyone, below, parts=2)
    first, second = upload.put(1, b"1"), upload.put(2, b"2")
    never = {"part_number": 2, "etag": f'"{hashlib.sha256(b"never").hexdigest()}"'}
    for parts in ((first,), (second, first), (first, first), (first, second, second), (first, never), ()):
        status, answer = upload.complete(*parts)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), parts
    for tag in ("", "x", "../../upload.json", first["etag"]):
        assert upload.complete(first, {"part_number": 2, "etag": tag})[0] == 400
    assert upload.content()[0] == 404
    assert upload.complete(first, second) == (200, {})


def test_a_part_that_changed_meanwhile_is_not_taken(anyone: Caller, below: str, store: FolderStore) -> None:
    upload = Upload(anyone, below)
    part = upload.put(1, b"right")
    (file,) = (store.root / "uploads").glob("parts-*/1-*")
    file.write_bytes(b"wrong")
    status, answer = upload.complete(part)
    assert status == 400 and "has changed since it arrived" in answer["message"]
    assert upload.content()[0] == 404
    upload.put(1, b"right")
    assert upload.complete(part) == (200, {})


def test_an_upload_that_is_given_up_leaves_nothing(anyone: Caller, below: str, store: FolderStore) -> None:
    upload = Upload(anyone, below, parts=2)
    part = upload.put(1, b"x")
    assert aside(store) == [f"parts-{upload.id}"]
    assert upload.abort() == (200, {})
    assert aside(store) == []
    assert anyone.refused("PUT", upload.paths[0]) == (404, "RESOURCE_DOES_NOT_EXIST")
    for status, answer in (upload.abort(), upload.complete(part, part)):
        assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_part_that_is_cut_off_is_none(anyone: Caller, below: str, store: FolderStore) -> None:
    upload = Upload(anyone, below)
    connection = cut_upload(anyone, upload.paths[0])
    wait_until(lambda: any((store.root / "uploads" / f"parts-{upload.id}").glob("new-*")))
    connection.close()
    wait_until(lambda: not any((store.root / "uploads" / f"parts-{upload.id}").glob("new-*")))
    part = upload.put(1, b"whole")
    assert upload.complete(part) == (200, {})


@pytest.mark.parametrize("name", ["", "..", ".", "/home/me/..", "a\0b", "x" * 5000, "f/"])
def test_no_name_leads_out(anyone: Caller, below: str, name: str, store: FolderStore) -> None:
    status, answer = anyone("POST", f"{PROXY}/mpu/create/{below}", path=name, num_parts=1)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert aside(store) == []


@pytest.mark.parametrize(
    "folder",
    ["..", "../..", "%2e%2e/%2e%2e", "..%2f..%2f..", "a/../../..", "a//b", "%2fetc", "%00", "a%00", "."],
)
def test_no_folder_leads_out(anyone: Caller, below: str, folder: str, store: FolderStore) -> None:
    for verb in ("create", "complete", "abort"):
        asked = {"path": "f", "upload_id": "0" * 32, "parts": [{"part_number": 1, "etag": "x"}]}
        status, answer = anyone("POST", f"{PROXY}/mpu/{verb}/{below}/{folder}", **asked)
        assert status in (400, 404) and answer["error_code"], verb
    path = f"{PROXY}/mpu/part/{'0' * 32}/1/{below}/{folder}/f"
    assert anyone.raw("PUT", path, b"x")[0] in (400, 404)
    assert aside(store) == []


@pytest.mark.parametrize("upload", ["..", "x", "%2e%2e%2f", "0" * 32, "0" * 31 + "%00"])
def test_what_is_no_upload_is_not_found(anyone: Caller, below: str, upload: str) -> None:
    status, answer = anyone.raw("PUT", f"{PROXY}/mpu/part/{upload}/1/{below}/f", b"x")
    assert status in (400, 404) and b"error_code" in answer
    for verb in ("complete", "abort"):
        asked = {"path": "f", "upload_id": upload, "parts": [{"part_number": 1, "etag": "x"}]}
        assert anyone.refused("POST", f"{PROXY}/mpu/{verb}/{below}", **asked)[0] == 404


@pytest.mark.parametrize("number", ["0", "3", "-1", "x", "1.0", "²", "9" * 30])
def test_there_is_no_other_part(anyone: Caller, below: str, number: str) -> None:
    upload = Upload(anyone, below, parts=2)
    path = f"{PROXY}/mpu/part/{upload.id}/{quote(number)}/{below}/f"
    assert anyone.raw("PUT", path, b"x")[0] == 400


def test_an_upload_is_of_one_path(anyone: Caller, below: str) -> None:
    upload, other = Upload(anyone, below), Upload(anyone, below, "g")
    part = upload.put(1, b"x")
    other.id = upload.id
    assert anyone.raw("PUT", f"{upload.paths[0][:-1]}g", b"x")[0] == 404
    assert other.complete(part)[0] == other.abort()[0] == 404
    assert upload.complete(part) == (200, {})


def test_nothing_goes_through_a_link(anyone: Caller, below: str, store: FolderStore, tmp_path: Path) -> None:
    folder = store.root / "runs" / below.split("/")[1] / "artifacts"
    folder.mkdir(parents=True)
    (folder / "up").symlink_to(tmp_path)
    (folder / "link").symlink_to(tmp_path / "new")
    for path, name in (("up", "f"), ("", "link")):
        asked = {"path": name, "num_parts": 1}
        assert anyone("POST", f"{PROXY}/mpu/create/{below}/{path}".rstrip("/"), **asked)[0] == 400
    upload = Upload(anyone, f"{below}/later")
    part = upload.put(1, b"x")
    (folder / "later").symlink_to(tmp_path)
    assert upload.complete(part)[0] == 400
    assert not (tmp_path / "f").exists() and not (tmp_path / "new").exists()


def test_how_many_parts_there_may_be(anyone: Caller, below: str, store: FolderStore) -> None:
    status, answer = anyone("POST", f"{PROXY}/mpu/create/{below}", path="f", num_parts=10_001)
    # With a sentence that begins so the client sends the file in one piece.
    unsupported = "Multipart upload is not supported for the current artifact repository"
    assert status == 400 and answer["message"].startswith(unsupported)
    for number in (0, -1, "x"):
        assert anyone.refused("POST", f"{PROXY}/mpu/create/{below}", path="f", num_parts=number)[0] == 400
    assert aside(store) == []


def test_another_runs_files_are_not_written(
    script: Caller, endpoint: Endpoint, run: Run, below: str, store: FolderStore
) -> None:
    own = f"0/{run.run_id}/artifacts"
    upload = Upload(script, own)
    part = upload.put(1, b"x")
    assert f"/t/{endpoint.token}/" in f"{script.uri}{upload.paths[0]}"
    for path in (below, "0/models/m-none/artifacts", "0/traces/tr-none/artifacts"):
        for verb in ("create", "complete", "abort"):
            asked = {"path": "f", "upload_id": upload.id, "parts": [part]}
            status, _ = script.refused("POST", f"{PROXY}/mpu/{verb}/{path}", **asked)
            assert status in (403, 404)
        assert script.raw("PUT", f"{PROXY}/mpu/part/{upload.id}/1/{path}/f", b"y")[0] in (403, 404)
    with calling(f"http://127.0.0.1:{urlsplit(endpoint.uri).port}") as stranger:
        assert stranger.raw("PUT", upload.paths[0], b"y")[0] == 401
    assert upload.complete(part) == (200, {})
    assert (store.root / "runs" / run.run_id / "artifacts" / "f").read_bytes() == b"x"
    kept = b"".join(path.read_bytes() for path in store.root.glob("uploads/**/*") if path.is_file())
    assert endpoint.token.encode() not in kept


def test_an_abandoned_upload_is_garbage_in_time(anyone: Caller, below: str, store: FolderStore) -> None:
    upload = Upload(anyone, below, parts=2)
    upload.put(1, bytes(MIB))
    anyone.raw("PUT", f"{ARTIFACTS}/{below}/whole", b"x")
    left = store.root / "uploads" / "left-by-a-kill"
    left.write_bytes(b"x")
    keeper = store.housekeeper
    assert not [path for path in keeper.garbage().leftovers if path.parent.name == "uploads"]
    old = time.time() - GRACE_S - 60
    for path in (left, store.root / "uploads" / f"parts-{upload.id}"):
        os.utime(path, (old, old))
    garbage = keeper.garbage()
    found = {path.name for path in garbage.leftovers if path.parent.name == "uploads"}
    assert found == {left.name, f"parts-{upload.id}"}
    assert keeper.remove(garbage).size >= MIB
    assert aside(store) == []
    assert anyone.raw("GET", f"{ARTIFACTS}/{below}/whole") == (200, b"x")


def test_of_several_that_complete_at_once_one_does(anyone: Caller, below: str, store: FolderStore) -> None:
    upload = Upload(anyone, below)
    part = upload.put(1, os.urandom(MIB))
    artifacts = FolderArtifacts(store.root, store.root / "uploads")
    path, tag = f"runs/{below.split('/')[1]}/artifacts/f", part["etag"].strip('"')
    outcomes: list[str] = []

    def complete() -> None:
        try:
            artifacts.uploads.complete(path, upload.id, [(1, tag)])
            outcomes.append("done")
        except Exception as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=complete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["NotFound"] * 7 + ["done"]
    assert hashlib.sha256(upload.content()[1]).hexdigest() == tag and aside(store) == []


def test_where_a_file_is_read_by_parts(anyone: Caller, below: str) -> None:
    assert anyone.raw("PUT", f"{ARTIFACTS}/{below}/a%20b%C3%A9", b"0123456789")[0] == 200
    told = anyone.done("GET", f"{PROXY}/presigned/{below}/a%20b%C3%A9")
    assert told["file_size"] == 10 and told["headers"] == {}
    path = told["url"].removeprefix(anyone.uri)
    status, content, headers = anyone.whole("GET", path, headers={"Range": "bytes=2-4"})
    assert (status, content, headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert anyone.refused("GET", f"{PROXY}/presigned/{below}/none") == (404, "RESOURCE_DOES_NOT_EXIST")
    assert anyone.refused("GET", f"{PROXY}/presigned/{below}/../../x")[0] in (400, 404)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/.*", told["url"])
