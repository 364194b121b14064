"""What every place for contents does."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.provenance.contents import digest_files
from mlproj.store.contained import KeptBlobs
from tests.contracts.places import PLACES, store_at
from tests.s3_server import S3Server

MIB = 1024 * 1024


@pytest.fixture(params=PLACES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Iterator[KeptBlobs]:
    store = store_at(request.param, tmp_path, s3)
    yield store.blobs
    store.close()


def test_contents_have_the_names_of_their_digests(blobs: KeptBlobs, tmp_path: Path) -> None:
    digest = blobs.add_bytes(b"content")
    assert digest == Digest.of(b"content") and digest in blobs
    assert blobs.path(digest).read_bytes() == blobs.path(digest).read_bytes() == b"content"
    assert blobs.add_bytes(b"content") == digest and list(blobs.digests()) == [digest]
    absent = Digest.of(b"other")
    assert absent not in blobs and blobs.state(absent) is None
    with pytest.raises(StoreError, match="holds no content"):
        blobs.path(absent)


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 20 * MIB + 3])
def test_files_of_any_size_are_copied_in(blobs: KeptBlobs, tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    digest, taken = blobs.add_file(file)
    assert (digest, taken) == (Digest.of(file.read_bytes()), size)
    assert blobs.path(digest).read_bytes() == file.read_bytes()
    state = blobs.state(digest)
    assert state is not None and state.size == size
    assert dict(blobs.states()).keys() == {digest}


def test_what_is_no_file_is_refused(blobs: KeptBlobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for nothing in (tmp_path, tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(StoreError):
            blobs.add_file(nothing)
    assert list(blobs.digests()) == []


def test_a_content_that_is_added_again_was_wanted_again(blobs: KeptBlobs) -> None:
    digest = blobs.add_bytes(b"x")
    first = blobs.state(digest)
    blobs.add_bytes(b"x")
    second = blobs.state(digest)
    assert first is not None and second is not None and second.used_ns > first.used_ns


def test_a_content_that_was_removed_can_come_again(blobs: KeptBlobs) -> None:
    digest = blobs.add_bytes(b"x")
    blobs.path(digest)
    blobs.remove(digest)
    blobs.remove(digest)
    assert digest not in blobs and list(blobs.digests()) == []
    with pytest.raises(StoreError):
        blobs.path(digest)
    assert blobs.add_bytes(b"x") == digest and blobs.path(digest).read_bytes() == b"x"


def test_while_some_are_removed_nobody_adds(blobs: KeptBlobs) -> None:
    done = threading.Event()

    def add() -> None:
        blobs.add_bytes(b"x")
        done.set()

    with blobs.removing():
        adding = threading.Thread(target=add)
        adding.start()
        assert not done.wait(0.3)
    adding.join()
    assert done.is_set() and Digest.of(b"x") in blobs


def test_what_is_there_now_is_digested(blobs: KeptBlobs) -> None:
    digests = [blobs.add_bytes(b"%d" % number) for number in range(40)]
    missing = Digest.of(b"missing")
    names = [[blobs.name(digest) for digest in digests], [], [blobs.name(missing)]]
    found = dict(blobs.digested(digest_files, names))
    assert {name: found[name] for name in names[0]} == dict(zip(names[0], digests, strict=True))
    assert isinstance(found[blobs.name(missing)], str) and not isinstance(found[blobs.name(missing)], Digest)
