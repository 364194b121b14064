"""A store whose contents are in a bucket: sealed, looked through, cleared and copied as any other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj import wiring
from mlproj.artifact_ports import Artifacts
from mlproj.errors import Altered, StoreError, UsageError
from mlproj.housekeeping_ports import GRACE_S, Copied
from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.model.record import EntryKind, read_document
from mlproj.model.tracking import NewRun, RunStatus
from mlproj.services.verify import verify
from mlproj.store.destination import destination_of
from mlproj.store.folder import FolderStore
from mlproj.store.objects.artifacts import StoredArtifacts
from mlproj.store.objects.bucket import Bucket
from mlproj.store.opening import open_store
from mlproj.store.relocating import back_up, move, restore
from mlproj.tracking_ports import Tracking
from tests.s3_server import S3Server
from tests.store.runs import begun, ended

MIB = 1024 * 1024


@pytest.fixture
def url(s3: S3Server) -> str:
    return s3.bucket()


@pytest.fixture
def store(tmp_path: Path, url: str) -> Iterator[FolderStore]:
    store = open_store(tmp_path / "store", create=True, destination=url)
    yield store
    store.close()


@pytest.fixture
def artifacts(store: FolderStore) -> Artifacts:
    return wiring.artifacts_of(store)


@pytest.fixture
def bucket(url: str) -> Bucket:
    return Bucket(url, os.environ)


def client_run(tracking: Tracking) -> str:
    return tracking.runs.create(NewRun(experiment_id="0", name="far", user="ada", started=1)).run_id


def age(store: FolderStore, *digests: Digest) -> None:
    """Has contents look as if nobody had asked for them for longer than the grace."""
    moment = time.time() - 2 * GRACE_S
    for digest in digests:
        noted(store, digest).touch()
        os.utime(noted(store, digest), (moment, moment))


def noted(store: FolderStore, digest: Digest) -> Path:
    """What says when a content was last asked for."""
    return store.root / "blobs" / "wanted" / digest[7:9] / digest[9:]


def key(digest: Digest) -> str:
    return f"blobs/sha256/{digest[7:9]}/{digest[9:]}"


def test_a_run_of_a_client_is_sealed_without_its_files_coming_here(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    run_id = client_run(tracking)
    large = os.urandom(9 * MIB)
    artifacts.write(f"runs/{run_id}/artifacts/deep/large", iter((large,)))
    artifacts.write(f"runs/{run_id}/artifacts/small", iter((b"small",)))
    artifacts.write(f"runs/{run_id}/artifacts/same", iter((b"small",)))
    artifacts.write(f"runs/{run_id}/artifacts/small", iter((b"smaller",)))
    tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=2)
    store.hide(run_id)
    (entry,) = store.entries(EntryKind.RUN)
    outcome = read_document(entry.payload or b"", name="far").outcome
    assert outcome is not None
    assert {output.path: (output.digest, output.size) for output in outcome.outputs} == {
        "artifacts/deep/large": (Digest.of(large), len(large)),
        "artifacts/same": (Digest.of(b"small"), 5),
        "artifacts/small": (Digest.of(b"smaller"), 7),
    }
    assert not (store.root / "blobs" / "fetched").exists()
    assert verify(store).problems == ()


def test_what_scripts_wrote_into_the_folder_is_there_too(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    run_id = client_run(tracking)
    folder = store.workspace(run_id) / "artifacts"
    (folder / "deep").mkdir(parents=True)
    for name in ("deep/here", "both"):
        (folder / name).write_text("here")
    artifacts.write(f"runs/{run_id}/artifacts/deep/there", iter((b"there",)))
    artifacts.write(f"runs/{run_id}/artifacts/both", iter((b"there",)))
    root = f"runs/{run_id}/artifacts"
    assert artifacts.list(root) == [(f"{root}/both", False, 5), (f"{root}/deep", True, 0)]
    assert artifacts.list(f"{root}/deep") == [
        (f"{root}/deep/here", False, 4),
        (f"{root}/deep/there", False, 5),
    ]
    read = {name: b"".join(artifacts.read(f"{root}/{name}")) for name in ("both", "deep/here", "deep/there")}
    assert read == {"both": b"there", "deep/here": b"here", "deep/there": b"there"}
    artifacts.delete(f"{root}/deep")
    assert artifacts.list(root) == [(f"{root}/both", False, 5)]


def test_what_was_altered_over_there_is_found_and_not_handed_out(
    store: FolderStore, artifacts: Artifacts, bucket: Bucket
) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run, model=b"the model"))
    assert verify(store).sound
    assert run.job is not None
    manifest = run.job.source.snapshot
    content = store.blobs.path(manifest).read_bytes()
    bucket.put(key(manifest), content[:-1])
    assert "has been altered" in verify(store).problems[0].message
    bucket.put(key(manifest), content)
    digest = Digest.of(b"the model")
    bucket.put(key(digest), b"THE MODEL")
    artifacts.write("runs/x/artifacts/f", iter((b"the model",)))
    with pytest.raises(Altered):
        store.blobs.path(digest)
    with pytest.raises(Altered):
        list(artifacts.read("runs/x/artifacts/f"))
    (problem,) = verify(store).problems
    assert "has been altered" in problem.message
    bucket.remove(key(digest))
    (problem,) = verify(store).problems
    assert "is missing" in problem.message


def test_a_download_is_cut_before_its_end_where_it_is_not_what_came(
    artifacts: Artifacts, bucket: Bucket
) -> None:
    content = os.urandom(9 * MIB)
    artifacts.write("runs/x/artifacts/f", iter((content,)))
    bucket.put(key(Digest.of(content)), content[:-1] + bytes([content[-1] ^ 1]))
    arrived = 0
    with pytest.raises(Altered):
        for piece in artifacts.read("runs/x/artifacts/f"):
            arrived += len(piece)
    assert arrived < len(content)


def test_contents_of_artifacts_stay_until_nothing_names_them(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    run_id = client_run(tracking)
    path = f"runs/{run_id}/artifacts/f"
    artifacts.write(path, iter((b"first",)))
    first, second = Digest.of(b"first"), Digest.of(b"second")
    age(store, first)
    keeper = store.housekeeper
    assert keeper.garbage().blobs == {}
    artifacts.write(path, iter((b"second",)))
    age(store, second)
    found = keeper.garbage()
    assert list(found.blobs) == [first]
    assert keeper.remove(found).files == 1
    assert first not in store.blobs and b"".join(artifacts.read(path)) == b"second"


def test_what_came_to_be_wanted_since_it_was_found_stays(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    store.blobs.add_bytes(b"asked for")
    store.blobs.add_bytes(b"named")
    age(store, Digest.of(b"asked for"), Digest.of(b"named"))
    found = store.housekeeper.garbage()
    assert len(found.blobs) == 2
    store.blobs.add_bytes(b"asked for")
    path = f"runs/{client_run(tracking)}/artifacts/f"
    artifacts.write(path, iter((b"named",)))
    os.utime(noted(store, Digest.of(b"named")), ns=(found.blobs[Digest.of(b"named")],) * 2)
    assert store.housekeeper.remove(found).files == 0
    assert b"".join(artifacts.read(path)) == b"named" and Digest.of(b"asked for") in store.blobs


def test_the_artifacts_of_a_forgotten_run_go_with_it_but_what_others_share(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    kept, unwanted = client_run(tracking), client_run(tracking)
    artifacts.write(f"runs/{kept}/artifacts/f", iter((b"shared",)))
    artifacts.write(f"runs/{unwanted}/artifacts/f", iter((b"shared",)))
    artifacts.write(f"runs/{unwanted}/artifacts/g", iter((b"alone",)))
    tracking.runs.update(unwanted, status=RunStatus.FINISHED, ended=2)
    store.hide(unwanted)
    keeper = store.housekeeper
    garbage = keeper.garbage(without=[unwanted])
    assert list(garbage.blobs) == [Digest.of(b"alone")]
    keeper.forget([unwanted], who="ada", why="x")
    assert keeper.remove(garbage).files == 1
    assert list(artifacts.list(f"runs/{unwanted}/artifacts")) == []
    assert b"".join(artifacts.read(f"runs/{kept}/artifacts/f")) == b"shared"
    assert Digest.of(b"alone") not in store.blobs


def test_a_registered_models_files_outlive_their_run(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    run_id = client_run(tracking)
    artifacts.write(f"runs/{run_id}/artifacts/model/weights", iter((b"weights",)))
    artifacts.write(f"runs/{run_id}/artifacts/other", iter((b"other",)))
    tracking.registry.create("wine")
    source = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
    tracking.registry.create_version("wine", source=source, run_id=run_id)
    tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=2)
    store.hide(run_id)
    keeper = store.housekeeper
    garbage = keeper.garbage(without=[run_id])
    keeper.forget([run_id], who="ada", why="x")
    keeper.remove(garbage)
    assert b"".join(artifacts.read(f"runs/{run_id}/artifacts/model/weights")) == b"weights"
    assert Digest.of(b"other") not in store.blobs


def test_what_belongs_to_nothing_goes_in_time(
    store: FolderStore, artifacts: Artifacts, bucket: Bucket
) -> None:
    artifacts.write("runs/nobody/artifacts/f", iter((b"x",)))
    bucket.put("incoming/left-by-a-kill", b"half")
    age(store, Digest.of(b"x"))
    keeper = store.housekeeper
    keeper.remove(keeper.garbage())
    assert b"".join(artifacts.read("runs/nobody/artifacts/f")) == b"x"
    assert bucket.find_one("incoming/left-by-a-kill") is not None
    old = int((time.time() - 2 * GRACE_S) * 1000)
    store.connection.execute("UPDATE artifacts SET written_ms = ?", (old,))
    age(store, Digest.of(b"x"))
    keeper.remove(keeper.garbage())
    assert list(artifacts.list("runs/nobody/artifacts")) == [] and Digest.of(b"x") not in store.blobs
    assert store.blobs.sweep(time.time() + 10) == (1, 4)
    assert bucket.find_one("incoming/left-by-a-kill") is None


def test_a_store_is_opened_where_its_contents_are(store: FolderStore, tmp_path: Path, url: str) -> None:
    digest = store.blobs.add_bytes(b"x")
    again = open_store(store.root, create=False)
    assert again.blobs.path(digest).read_bytes() == b"x" and destination_of(again.connection) == url
    again.close()
    open_store(store.root, create=True, destination=f"{url}/").close()
    with pytest.raises(StoreError, match="keeps its contents at"):
        open_store(store.root, create=True, destination=str(tmp_path / "elsewhere"))


def test_two_stores_do_not_take_each_others_contents_for_garbage(
    store: FolderStore, tmp_path: Path, url: str
) -> None:
    with pytest.raises(StoreError, match="contents of another store"):
        open_store(tmp_path / "second", create=True, destination=url)
    folder = str(tmp_path / "contents")
    open_store(tmp_path / "third", create=True, destination=folder).close()
    with pytest.raises(StoreError, match="contents of another store"):
        open_store(tmp_path / "fourth", create=True, destination=folder)


def test_a_store_with_contents_of_its_own_stays_with_them(tmp_path: Path, url: str) -> None:
    store = open_store(tmp_path / "store", create=True)
    store.blobs.add_bytes(b"x")
    store.close()
    with pytest.raises(StoreError, match="in its own folder"):
        open_store(tmp_path / "store", create=True, destination=url)


@pytest.mark.parametrize("address", ["s3://key:secret@bucket/x", "s3://bucket/x?token=secret"])
def test_an_address_with_a_secret_is_not_written_down(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="credentials") as caught:
        open_store(tmp_path / "store", create=True, destination=address)
    assert "secret" not in caught.value.message


def test_a_place_that_cannot_be_written_to_makes_no_store_of_it(
    tmp_path: Path, s3: S3Server, url: str
) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        open_store(tmp_path / "store", create=True, destination="s3://nobody-made-this/x")
    store = open_store(tmp_path / "store", create=True, destination=url)
    assert destination_of(store.connection) == url
    store.close()


def filled(store: FolderStore, tracking: Tracking, artifacts: Artifacts) -> str:
    """A store with a sealed run, and one of a client that goes on."""
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run, model=b"the model"))
    run_id = client_run(tracking)
    artifacts.write(f"runs/{run_id}/artifacts/f", iter((b"artifact",)))
    return run_id


def test_a_backup_holds_the_contents_too_and_is_restored(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts, tmp_path: Path, bucket: Bucket
) -> None:
    run_id = filled(store, tracking, artifacts)
    bucket.put(key(Digest.of(b"<p>")), b"altered")
    copied = back_up(store.root, tmp_path / "backup", silent)
    assert copied.altered == (Digest.of(b"<p>"),)
    store.blobs.remove(Digest.of(b"<p>"))
    store.blobs.add_bytes(b"<p>")
    assert back_up(store.root, tmp_path / "backup", silent).files == 1
    for found in list(bucket.find("")):
        bucket.remove(found.key)
    restore(tmp_path / "backup", tmp_path / "restored", replacing=False, report=silent)
    again = open_store(tmp_path / "restored", create=False)
    assert verify(again).sound
    files = wiring.artifacts_of(again)
    assert isinstance(files, StoredArtifacts)
    assert b"".join(files.read(f"runs/{run_id}/artifacts/f")) == b"artifact"
    files.write(f"runs/{run_id}/artifacts/g", iter((b"later",)))
    assert files.size(f"runs/{run_id}/artifacts/g") == 5
    again.close()


def moved(root: Path, target: Path) -> Copied:
    return move(root, target, wait=False, report=silent)


def test_a_move_leaves_contents_where_they_are(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts, tmp_path: Path, url: str
) -> None:
    filled(store, tracking, artifacts)
    tracking.close()
    store.close()
    for target in (tmp_path / "near", Path("/dev/shm") / f"mlproj-{urlsplit(url).netloc}"):
        if target.parent.is_dir():
            moved(store.root, target)
            again = open_store(store.root, create=False)
            assert again.root == target and destination_of(again.connection) == url
            assert verify(again).sound
            again.close()
            moved(target, tmp_path / "back" / target.name)


def test_what_stays_on_this_machine_is_bounded(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLPROJ_FETCHED_LIMIT", "1MiB")
    limited = open_store(store.root, create=False)
    contents = [os.urandom(300_000) for _ in range(8)]
    fetched = store.root / "blobs" / "fetched"
    for content in contents:
        path = limited.blobs.path(limited.blobs.add_bytes(content))
        assert path.read_bytes() == content
        moment = time.time() - 120 + contents.index(content)
        os.utime(path, (moment, moment))
    limited.blobs.path(limited.blobs.add_bytes(b"one more"))
    assert sum(path.stat().st_size for path in fetched.glob("sha256/*/*")) <= MIB
    assert limited.blobs.path(Digest.of(contents[0])).read_bytes() == contents[0]
    limited.close()
    monkeypatch.undo()


def test_the_id_of_a_trace_leads_to_no_files_of_another(
    store: FolderStore, tracking: Tracking, artifacts: Artifacts
) -> None:
    """Clients choose ids: one that begins with another's and a slash would belong to that."""
    theirs, own = client_run(tracking), client_run(tracking)
    for trace_id, run_id in (("tr-theirs", theirs), ("tr-theirs/x", own)):
        tracking.traces.add(trace_id, "0", b'{"trace_metadata":{"mlflow.sourceRun":"%s"}}' % run_id.encode())
    artifacts.write("traces/tr-theirs/artifacts/traces.json", iter([b"of somebody"]))
    for run_id, count in ((own, 0), (theirs, 1)):
        tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=10)
        outcome = store.find(run_id).outcome
        assert outcome is not None and len(outcome.outputs) == count
