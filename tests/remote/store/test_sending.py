"""Contents of any size get to a server that takes requests of some size only, and a run there is closed."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj.errors import MlprojError, UsageError
from mlproj.model.digest import Digest
from mlproj.model.run import Status
from mlproj.remote.connection import TooLarge
from mlproj.remote.store.store import FarStore
from mlproj.server.access import Application
from mlproj.server.hosting.sizes import Sized
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from tests.remote.store.serving import far, serving
from tests.store.runs import begun, ended


def at_most(size: int) -> Callable[[Application], Application]:
    return lambda app: Sized(app, size)


class Cutting:
    """A proxy that hangs up where more than so many bytes come at a stretch, without a word."""

    def __init__(self, uri: str, most: int) -> None:
        self._there = (urlsplit(uri).hostname, urlsplit(uri).port or 0)
        self._most = most
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut = 0

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._between, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _between(self, client: socket.socket) -> None:
        came = 0
        with contextlib.suppress(OSError), client, socket.create_connection(self._there) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    piece = ready.recv(1 << 16)
                    if not piece:
                        return
                    came = 0 if ready is server else came + len(piece)
                    if came > self._most:
                        self.cut += 1
                        return
                    (client if ready is server else server).sendall(piece)


@contextlib.contextmanager
def cutting(uri: str, most: int) -> Iterator[Cutting]:
    proxy = Cutting(uri, most)
    thread = threading.Thread(target=proxy.serve)
    thread.start()
    yield proxy
    proxy.close()
    thread.join()


def recorded(store: FarStore, large: bytes) -> None:
    files = {b"files/%d" % number: os.urandom(10_000) for number in range(150)}
    run = begun(store.blobs, source={**files, b"MLproject": b"name: large\n"})
    with store.begin(run):
        store.seal(ended(store.blobs, run, model=large))


def is_whole(there: FolderStore, large: bytes) -> None:
    assert there.blobs.path(Digest.of(large)).read_bytes() == large
    assert verify(there).problems == () and there.find("last").status is Status.FINISHED
    assert not list((there.root / "uploads").iterdir())


def test_a_run_is_sealed_where_no_request_may_be_so_large(tmp_path: Path) -> None:
    large = os.urandom(12 << 20)
    with serving(tmp_path / "server", entrance=at_most(1_000_000)) as (uri, there):
        recorded(far(uri, tmp_path / "cache"), large)
        is_whole(there, large)


def test_a_run_is_sealed_where_large_requests_are_cut_without_a_word(tmp_path: Path) -> None:
    large = os.urandom(12 << 20)
    with serving(tmp_path / "server") as (uri, there), cutting(uri, 9 << 20) as proxy:
        recorded(far(proxy.uri, tmp_path / "cache"), large)
        assert proxy.cut
        is_whole(there, large)


def test_what_no_part_gets_through_for_is_told_with_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path / "server", entrance=at_most(20_000)) as (uri, _):
        store = far(uri, tmp_path / "cache")
        digest = store.blobs.add_bytes(os.urandom(100_000))
        with pytest.raises(TooLarge, match=r"100000 bytes does not get there.*larger than 20000") as raised:
            store.blobs.send([digest])
        assert "--max-request" in (raised.value.hint or "")


def test_parts_that_are_another_content_are_not_kept(tmp_path: Path) -> None:
    with serving(tmp_path / "server") as (_, there):
        uploads = there.reception.uploads
        digest = Digest.of(b"one and two")
        upload = uploads.begin(digest.hex, 2)
        tags = [
            uploads.add(digest.hex, upload, n, iter((part,))) for n, part in ((1, b"one"), (2, b" or two"))
        ]
        with pytest.raises(UsageError, match="not what its digest says"):
            uploads.complete(digest.hex, upload, tuple(enumerate(tags, start=1)))
        assert digest not in there.blobs
        with pytest.raises(MlprojError, match="no digest"):
            uploads.begin("../../etc", 1)
