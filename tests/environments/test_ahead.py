"""What is built while uv waits for the index, out of what its cache foretells."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mlproj.environments.virtualenv import VirtualenvEnvironment
from tests.environments.conftest import lock, lock_and_build, packages, python_in, specification

SIX = specification("six==1.16.0")


@dataclass
class Index:
    """A package index of one package, which can be given newer versions."""

    folder: Path
    address: str = ""

    def publish(self, version: str) -> None:
        name = f"mlproj_ahead-{version}-py3-none-any.whl"
        page = self.folder / "simple" / "mlproj-ahead"
        page.mkdir(parents=True, exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: mlproj-ahead\nVersion: {version}\n"
        files = {
            "mlproj_ahead.py": f"VERSION = {version!r}\n",
            f"mlproj_ahead-{version}.dist-info/METADATA": metadata,
            f"mlproj_ahead-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        }
        record = [f"{path},{_hash(text)},{len(text)}" for path, text in files.items()]
        files[f"mlproj_ahead-{version}.dist-info/RECORD"] = "\n".join(record) + "\n"
        with zipfile.ZipFile(self.folder / name, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        links = "".join(f'<a href="/{wheel.name}">{wheel.name}</a>' for wheel in self.folder.glob("*.whl"))
        (page / "index.html").write_text(f"<html><body>{links}</body></html>")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server whose answers are to be asked for anew."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    served = Index(tmp_path / "index")
    served.folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served.folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_address[1]}/simple"
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", served.address)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def whole(cache: Path) -> list[Path]:
    return [marker.parent for marker in (cache / "environments").glob("*/mlproj.json")]


def test_an_environment_that_the_cache_foretells_is_built_before_anybody_asks(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    lock_and_build(shared, SIX, tmp_path)  # so that uv's cache knows it
    cache = tmp_path / "cache"
    locked = lock(VirtualenvEnvironment(cache), SIX, tmp_path)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not whole(cache):
        time.sleep(0.02)
    assert [folder.name for folder in whole(cache)] == [locked.key]


def test_what_the_index_says_counts_and_not_what_the_cache_foretold(index: Index, tmp_path: Path) -> None:
    asked = specification("mlproj-ahead")
    index.publish("1.0")
    first, _ = lock_and_build(VirtualenvEnvironment(tmp_path / "first"), asked, tmp_path)
    assert packages(first)["mlproj-ahead"] == "1.0"
    index.publish("2.0")
    second, activation = lock_and_build(VirtualenvEnvironment(tmp_path / "second"), asked, tmp_path)
    assert packages(second)["mlproj-ahead"] == "2.0"
    assert python_in(activation, "import mlproj_ahead; print(mlproj_ahead.VERSION)") == "2.0"
