"""Objects come whole or not at all, wherever they go; what goes wrong over there is told in a sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.store.objects.bucket import PART, Bucket
from tests.s3_server import S3Server

MIB = 1024 * 1024


@pytest.fixture(params=["s3", "memory", "local"])
def bucket(request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path) -> Bucket:
    url = s3.bucket() if request.param == "s3" else f"{request.param}://{tmp_path}"
    return Bucket(url, os.environ)


def content(bucket: Bucket, key: str) -> bytes:
    found = bucket.find_one(key)
    assert found is not None
    return b"".join(bucket.read(key, 0, found.size))


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, 2 * PART + 1])
def test_what_is_sent_is_found_moved_and_removed(bucket: Bucket, size: int) -> None:
    sent = os.urandom(size)
    pieces = [sent[start : start + MIB] for start in range(0, size, MIB)]
    assert bucket.find_one("a/b/c") is None
    assert bucket.send("a/b/c", iter(pieces)) == size
    assert content(bucket, "a/b/c") == sent
    (found,) = bucket.find("a")
    assert (found.key, found.size) == ("a/b/c", size) and abs(found.changed - time.time()) < 120
    bucket.move("a/b/c", "d/e")
    assert bucket.find_one("a/b/c") is None and content(bucket, "d/e") == sent
    assert (list(bucket.find("a")) == [] and bucket.folders("") == ("d",)) or "d" in bucket.folders("")
    bucket.remove("d/e")
    bucket.remove("d/e")
    assert bucket.find_one("d/e") is None


def test_an_object_is_replaced(bucket: Bucket) -> None:
    bucket.put("k", b"before")
    bucket.put("k", b"after")
    assert content(bucket, "k") == b"after"
    bucket.send("k", iter([os.urandom(MIB)] * 10))
    assert len(content(bucket, "k")) == 10 * MIB


@pytest.mark.parametrize("pieces", [0, 1, 30])
def test_what_is_cut_off_is_not_there(bucket: Bucket, pieces: int) -> None:
    bucket.put("k", b"before")

    def cut() -> Iterator[bytes]:
        yield from [bytes(MIB)] * pieces
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        bucket.send("k", cut())
    with pytest.raises(RuntimeError):
        bucket.send("new/k", cut())
    assert content(bucket, "k") == b"before" and bucket.find_one("new/k") is None
    assert [found.key for found in bucket.find("")] == ["k"]


def test_parts_of_what_was_cut_off_take_no_room(s3: S3Server) -> None:
    bucket = Bucket(s3.bucket(), os.environ)

    def cut() -> Iterator[bytes]:
        yield from [bytes(MIB)] * 30
        assert s3.unfinished(bucket.shown) == 1
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        bucket.send("k", cut())
    assert s3.unfinished(bucket.shown) == 0


def test_an_object_that_became_shorter_is_not_taken_for_whole(bucket: Bucket) -> None:
    bucket.put("k", b"before")
    pieces = bucket.read("k", 0, 6)
    bucket.put("k", b"now")
    with pytest.raises(StoreError):
        list(pieces)


def test_where_nobody_answers_a_sentence_says_so(s3: S3Server) -> None:
    nowhere = {"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(StoreError, match=r"the contents at `s3://.*` cannot be looked at") as caught:
        Bucket(s3.bucket(), nowhere).find_one("k")
    assert caught.value.hint is not None


def test_a_bucket_that_is_not_there_cannot_be_written_to(s3: S3Server) -> None:
    bucket = Bucket("s3://nobody-made-this/x", os.environ)
    assert bucket.find_one("k") is None and list(bucket.find("")) == []
    for act in (lambda: bucket.put("k", b"x"), lambda: bucket.send("k", iter([bytes(MIB)] * 20))):
        with pytest.raises(StoreError, match="cannot be written"):
            act()


def test_what_is_missing_for_an_address_is_named() -> None:
    with pytest.raises(StoreError, match="cannot be kept at `gs://bucket`") as caught:
        Bucket("gs://bucket", os.environ)
    assert caught.value.hint == '`pip install "mlproj[gs]"` brings what `gs://` needs'
    with pytest.raises(StoreError):
        Bucket("nothing-of-the-sort://bucket", os.environ)
