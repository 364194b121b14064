"""Contents that move, from a store's folder to a bucket, to another, to a folder; and when they stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.errors import StoreError
from mlproj.housekeeping_ports import Resettled
from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.model.tracking import NewRun, RunStatus
from mlproj.services.verify import verify
from mlproj.store.destination import destination_of
from mlproj.store.objects.bucket import Bucket
from mlproj.store.opening import open_store
from mlproj.store.resettling import resettle
from tests.s3_server import S3Server
from tests.store.runs import begun, ended

LARGE = os.urandom(6 << 20)


def settled(root: Path, destination: str, *, wait: bool = False) -> Resettled:
    return resettle(lambda: open_store(root, create=False), destination, silent, wait=wait)


def filled(root: Path) -> str:
    """A store with a run of our own and one that a client goes on with; the artifact that it logged."""
    store = open_store(root, create=True)
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run, model=LARGE))
    tracking = wiring.tracking_of(store)
    going = tracking.runs.create(NewRun(experiment_id="0", name="far", user="ada", started=1)).run_id
    path = f"runs/{going}/artifacts/note"
    wiring.artifacts_of(store).write(path, iter((b"a note",)))
    tracking.close()
    store.close()
    return path


def test_they_go_from_place_to_place_and_everything_is_found(tmp_path: Path, s3: S3Server) -> None:
    root, urls = tmp_path / "store", (s3.bucket(), s3.bucket())
    note = filled(root)
    first = settled(root, urls[0])
    assert first.before is None and first.size > len(LARGE) and first.files > 5
    second = settled(root, urls[1])
    assert (second.before, second.files, second.size) == (urls[0], first.files, first.size)
    store = open_store(root, create=False)
    assert destination_of(store.connection) == urls[1]
    artifacts, tracking = wiring.artifacts_of(store), wiring.tracking_of(store)
    assert b"".join(artifacts.read(note)) == b"a note"
    artifacts.write(f"{note}-2", iter((b"another",)))
    tracking.runs.update(note.split("/")[1], status=RunStatus.FINISHED, ended=2)
    assert verify(store).problems == () and store.find("calm-heron").record
    tracking.close()
    with pytest.raises(StoreError, match="is in use"):
        settled(root, str(tmp_path / "contents"))
    store.close()
    assert settled(root, str(tmp_path / "contents")).before == urls[1]
    with pytest.raises(StoreError, match="there already"):
        settled(root, str(tmp_path / "contents"))
    # Back again: what lies there still is not copied once more.
    assert settled(root, urls[1]).files == 0
    back = open_store(root, create=False)
    assert verify(back).problems == () and back.blobs.path(Digest.of(LARGE)).read_bytes() == LARGE
    back.close()


def test_what_is_altered_or_anothers_has_them_stay(tmp_path: Path, s3: S3Server) -> None:
    root, mine, theirs = tmp_path / "store", s3.bucket(), s3.bucket()
    filled(root)
    open_store(tmp_path / "other", create=True, destination=theirs).close()
    with pytest.raises(StoreError, match="another store"):
        settled(root, theirs)
    settled(root, mine)
    digest = Digest.of(LARGE)
    bucket = Bucket(mine, os.environ)
    bucket.put(f"blobs/sha256/{digest[7:9]}/{digest[9:]}", b"something else")
    with pytest.raises(StoreError, match=r"not what was recorded, `sha256:.*stay where they are"):
        settled(root, str(tmp_path / "contents"))
    store = open_store(root, create=False)
    assert destination_of(store.connection) == mine
    store.close()
