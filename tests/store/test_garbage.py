"""What is taken away from a store, and what never is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import Altered, RunNotFound, StoreError
from mlproj.housekeeping_ports import Garbage
from mlproj.model.digest import Digest
from mlproj.model.run import Run
from mlproj.model.source import OmittedFile
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.store.runs import SOURCE, begun, ended

HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


def sealed(store: FolderStore, name: str, model: bytes, source: Mapping[bytes, bytes] = SOURCE) -> Run:
    run = begun(store.blobs, name=name, source=source)
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=model))


def age(store: FolderStore, *digests: Digest, seconds: float = 2 * HOUR) -> None:
    """Has content look as if nobody had asked for it for so long."""
    moment = time.time() - seconds
    for digest in digests:
        os.utime(store.blobs.path(digest), (moment, moment))


def garbage(store: FolderStore, *without: Run, grace_s: float = HOUR) -> Garbage:
    return store.housekeeper.garbage(without=[run.run_id for run in without], grace_s=grace_s)


def test_what_no_record_names_goes_after_a_grace(store: FolderStore) -> None:
    sealed(store, "kept", b"kept")
    old, young = store.blobs.add_bytes(b"old"), store.blobs.add_bytes(b"young")
    age(store, old, *store.blobs.digests())
    age(store, young, seconds=60)
    found = garbage(store)
    assert (list(found.blobs), found.young) == ([old], 1)
    assert found.size > 0 and found.young_size > 0
    assert store.housekeeper.remove(found).files == 1
    assert old not in store.blobs and young in store.blobs
    assert verify(store).sound
    assert list(garbage(store, grace_s=0).blobs) == [young]


def test_what_is_named_through_manifests_stays_and_so_does_what_a_running_run_names(
    store: FolderStore,
) -> None:
    run = begun(store.blobs, source={b"only.py": b"only here"})
    with store.begin(run):
        age(store, *store.blobs.digests())
        assert garbage(store).blobs == {}
    sealed(store, "folders", b"model")
    age(store, *store.blobs.digests())
    assert garbage(store).blobs == {}, "sources, and files in folders that a run left, are named by manifests"


def test_content_in_hand_is_under_a_lease(store: FolderStore) -> None:
    before = store.blobs.add_bytes(b"before")
    age(store, before)
    asked_for = store.blobs.add_bytes(b"asked for again")
    age(store, asked_for)
    with store.lease():
        added = store.blobs.add_bytes(b"added")
        store.blobs.add_bytes(b"asked for again")
        found = garbage(store, grace_s=0)
        assert list(found.blobs) == [before]
        store.housekeeper.remove(found)
        assert added in store.blobs and asked_for in store.blobs
    assert set(garbage(store, grace_s=0).blobs) == {added, asked_for}


def test_what_comes_to_be_wanted_after_it_was_found_is_not_removed(store: FolderStore) -> None:
    digests = [store.blobs.add_bytes(content) for content in (b"asked for", b"sealed", b"left")]
    age(store, *digests)
    found = garbage(store)
    assert set(found.blobs) == set(digests)
    store.blobs.add_bytes(b"asked for")
    run = begun(store.blobs)
    with store.begin(run):
        done = ended(store.blobs, run, model=b"sealed")
        age(store, Digest.of(b"sealed"))
        store.seal(done)
    assert store.housekeeper.remove(found).files == 1
    assert [digest in store.blobs for digest in digests] == [True, True, False]
    assert verify(store).sound


def test_a_snapshot_that_a_lease_relies_on_outlives_the_run_that_brought_it(store: FolderStore) -> None:
    run = sealed(store, "first", b"model", {b"train.py": b"print(1)"})
    assert run.job is not None
    source = run.job.source
    snapshot = source.snapshot
    with store.lease() as lease:
        assert lease.has_source(source)
        assert not lease.has_source(replace(source, snapshot=Digest.of(b"never seen")))
        store.hide(run.run_id)
        found = garbage(store, run)
        store.housekeeper.forget([run.run_id], who="ada", why="test")
        store.housekeeper.remove(found)
        assert snapshot in store.blobs and Digest.of(b"print(1)") in store.blobs
        assert not lease.has_source(source), "nobody who comes now may rely on it"
    store.housekeeper.remove(garbage(store, grace_s=0))
    assert snapshot not in store.blobs and Digest.of(b"print(1)") not in store.blobs


def test_runs_are_forgotten_with_what_only_they_hold(store: FolderStore) -> None:
    runs = [sealed(store, f"run-{number}", b"model %d" % number) for number in range(4)]
    for run in runs[:3]:
        store.hide(run.run_id)
    found = garbage(store, *runs[:3])
    with pytest.raises(StoreError, match="not hidden"):
        store.housekeeper.forget([run.run_id for run in runs], who="ada", why="test")
    assert len(store.listing()) == 4 and not any(row.forgotten for row in store.listing()), "all or none"
    store.housekeeper.forget([run.run_id for run in runs[:3]], who="ada", why="test")
    store.housekeeper.remove(found)
    assert set(found.blobs) == {Digest.of(b"model %d" % number) for number in range(3)}
    assert verify(store).removed == tuple(run.run_id for run in runs[:3])
    assert verify(store).sound
    with pytest.raises(RunNotFound, match="removed by ada"):
        store.housekeeper.forget([runs[0].run_id], who="ada", why="again")


def test_what_killed_writers_left_lying_is_garbage(store: FolderStore) -> None:
    run = sealed(store, "done", b"model")
    left = [
        store.root / "blobs" / "incoming" / "half",
        store.root / "runs" / ("0" * 32) / "logs" / "stdout",
        store.root / "runs" / run.run_id / "logs" / "stdout",
        store.root / "locks" / ("1" * 32),
    ]
    kept = store.root / "runs" / run.run_id / "artifacts" / "model"
    for path in (*left, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    assert garbage(store).leftovers == ()
    found = garbage(store, grace_s=0)
    assert len(found.leftovers) == 4
    assert store.housekeeper.remove(found).size > 0
    assert [path.exists() for path in (*left, kept)] == [False] * 4 + [True]


def test_nothing_is_removed_where_a_record_cannot_be_read(store: FolderStore) -> None:
    run = sealed(store, "altered", b"model")
    orphan = store.blobs.add_bytes(b"orphan")
    age(store, orphan)
    with contextlib.closing(sqlite3.connect(store.root / FILE)) as connection, connection:
        connection.execute("UPDATE entries SET payload = x'00'")
    with pytest.raises(Altered, match=f"record of run `{run.run_id}` cannot be read") as told:
        garbage(store)
    assert told.value.hint is not None and orphan in store.blobs


def test_nothing_is_removed_where_a_list_of_files_was_altered(store: FolderStore) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    store.blobs.path(run.job.source.snapshot).write_bytes(b"no manifest")
    with pytest.raises(Altered, match="may have named anything"):
        store.housekeeper.garbage(grace_s=0)
    assert store.housekeeper.garbage(without=(run.run_id,), grace_s=0).blobs  # so it can be let go


def test_the_database_gives_its_room_back(store: FolderStore) -> None:
    for number in range(60):
        run = begun(store.blobs, name=f"r{number}", tags=(("large", "x" * 20_000),))
        with store.begin(run):
            store.seal(ended(store.blobs, run))
        store.hide(run.run_id)
    before = store.housekeeper.size()
    ids = [row.run_id for row in store.listing()]
    found = store.housekeeper.garbage(without=ids)
    store.housekeeper.forget(ids, who="ada", why="test")
    removed = store.housekeeper.remove(found)
    after = store.housekeeper.size()
    assert after.database < before.database / 3
    assert removed.size > 0 and after.total < before.total
    assert verify(store).sound


def test_a_copy_of_a_file_with_holes_has_holes(store: FolderStore, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
        file.seek(32 * 1024 * 1024)
        file.write(b"something")
    digest, size = store.blobs.add_file(sparse)
    kept = store.blobs.path(digest)
    assert (size, kept.stat().st_size) == (64 * 1024 * 1024,) * 2
    assert kept.stat().st_blocks * 512 < 4 * 1024 * 1024
    assert Digest.of(kept.read_bytes()) == digest


def test_a_run_that_held_less_of_a_snapshot_is_not_relied_on(store: FolderStore) -> None:
    large = OmittedFile(path="large.bin", reason="too large", size=9, digest=Digest.of(b"large"))
    secret = OmittedFile(path=".env", reason="secret")
    run = begun(store.blobs)
    assert run.job is not None
    job, whole = run.job, run.job.source
    for left_out in ((large, secret), (secret,)):
        source = replace(whole, omitted=left_out)
        held = replace(run, run_id=run.run_id[::-1], job=replace(job, source=source))
        with store.begin(held), store.lease() as lease:
            assert lease.has_source(source)
            assert lease.has_source(replace(whole, omitted=(large,)))
            assert lease.has_source(whole) is (large not in left_out)
            store.seal(ended(store.blobs, held))
        run = replace(run, run_id=run.run_id[1:] + run.run_id[0])
    listed = replace(whole, omitted_manifest=Digest.of(b"a list"))
    long = replace(run, job=replace(job, source=replace(listed, snapshot=store.blobs.add_bytes(b""))))
    assert long.job is not None
    store.blobs.add_bytes(b"a list")
    with store.begin(long), store.lease() as lease:
        assert lease.has_source(long.job.source)
        assert not lease.has_source(replace(long.job.source, omitted_manifest=None))
