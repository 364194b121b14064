"""What a store at a server does that one in a folder need not: silence, copies, a cut line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.far_ports import SILENCE_S
from mlproj.model.digest import Digest
from mlproj.model.moment import timestamp
from mlproj.model.run import Status
from mlproj.packing import packed, unpack
from mlproj.provenance.contents import digest_files
from mlproj.remote.store.store import FarStore
from mlproj.services.logs import read_log
from mlproj.services.verify import Means, verify
from mlproj.store.blobs import FolderBlobs
from mlproj.store.database import transaction
from mlproj.store.folder import FolderStore
from mlproj.store_ports import Condition, RunQuery
from tests.remote.store.serving import far, serving
from tests.store.runs import begun, ended


class Both:
    """A server's store, and two machines that have it."""

    def __init__(self, uri: str, there: FolderStore, path: Path) -> None:
        self.uri = uri
        self.there = there
        self.path = path
        self.one, self.other = far(uri, path / "one"), far(uri, path / "other")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with serving(tmp_path / "server") as (uri, there):
        yield Both(uri, there, tmp_path)


def recorded(store: FarStore) -> str:
    run = begun(store.blobs)
    with store.begin(run):
        return store.seal(ended(store.blobs, run)).run_id


def test_a_run_of_another_machine_runs_while_its_runner_says_so_and_is_unknown_afterwards(both: Both) -> None:
    run = begun(both.one.blobs)
    running = RunQuery(conditions=(Condition(field="status", operator="=", value="RUNNING"),))
    with both.one.begin(run):
        assert both.other.find(run.run_id).status is Status.RUNNING
        assert [found.run_id for found in both.other.search(running)] == [run.run_id]
        with pytest.raises(StoreError, match="goes on at `lovelace`"):
            list(read_log(both.other, both.other.find(run.run_id)))
        with transaction(both.there.connection):
            silent = timestamp(time.time() - SILENCE_S - 5)
            both.there.connection.execute("UPDATE supervised SET seen = ?", (silent,))
        for store in (both.other, both.there):
            assert store.find(run.run_id).status is Status.UNKNOWN
            assert store.search(running) == ()
        assert far(both.uri, both.path / "other").find(run.run_id).record is None, (
            "nobody closes it but its own"
        )
        done = both.one.seal(ended(both.one.blobs, run))
    assert both.other.find(run.run_id) == done
    assert both.there.connection.execute("SELECT count(*) FROM supervised").fetchone() == (0,)
    assert both.there.connection.execute("SELECT count(*) FROM tokens").fetchone() == (0,)


def test_a_run_whose_seal_was_heard_but_not_answered_is_not_sealed_twice(both: Both) -> None:
    run = begun(both.one.blobs)
    note = both.one.root / "open" / run.run_id
    with both.one.begin(run):
        left = note.read_bytes()
        both.one.seal(ended(both.one.blobs, run))
    note.write_bytes(left)  # as one leaves it that was cut off before the answer came
    assert far(both.uri, both.path / "one").find("last").status is Status.FINISHED
    assert len(list(both.there.entries())) == 1
    assert not note.exists()


def test_content_that_was_altered_at_the_server_is_found_although_there_is_a_good_copy(
    both: Both,
) -> None:
    run_id = recorded(both.one)
    assert verify(both.one, means=Means(digester=digest_files)).sound
    spoilt = both.there.blobs.path(Digest.of(b"model"))
    os.chmod(spoilt, 0o600)
    spoilt.write_bytes(b"other")
    found = verify(both.one, means=Means(digester=digest_files))
    assert [(problem.run_id, problem.part) for problem in found.problems] == [(run_id, "outputs.model.bin")]
    with pytest.raises(StoreError):
        both.other.blobs.path(Digest.of(b"model"))


def test_contents_that_somebody_asks_for_come_together_and_those_that_are_nowhere_are_not_there(
    both: Both,
) -> None:
    recorded(both.one)
    both.other.find("last")
    wanted = [*both.there.blobs.digests(), Digest.of(b"nowhere")]
    both.other.blobs.bring(wanted)
    assert set(both.other.blobs.here.digests()) == set(wanted[:-1])
    assert Digest.of(b"nowhere") not in both.other.blobs


def test_a_large_content_has_a_stream_of_its_own(both: Both, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(20 << 20))
    digest, _ = both.one.blobs.add_file(large)
    both.one.blobs.send([digest])
    assert both.there.blobs.path(digest).read_bytes() == large.read_bytes()


def test_a_stream_that_is_cut_keeps_what_came_whole_and_one_that_lies_keeps_nothing(tmp_path: Path) -> None:
    source, target = FolderBlobs(tmp_path / "a"), FolderBlobs(tmp_path / "b")
    digests = [source.add_bytes(content) for content in (b"", b"one", b"x" * (2 << 20), b"last")]
    stream = b"".join(packed(source, digests))
    pieces = [stream[start : start + 1000] for start in range(0, len(stream), 1000)]
    assert unpack(pieces, target, tmp_path / "aside") == tuple(digests)
    assert all(target.path(digest).read_bytes() == source.path(digest).read_bytes() for digest in digests)
    for broken in (stream[:-1], stream[:20], stream[:-4] + b"lies"):
        other = FolderBlobs(tmp_path / str(len(broken)) / stream[-4:].hex() / broken[-4:].hex())
        with pytest.raises(ValueError):
            unpack([broken], other, tmp_path / "aside")
        assert digests[-1] not in other
    assert list((tmp_path / "aside").iterdir()) == []


def test_copies_that_nobody_wanted_for_days_go_but_not_while_a_run_waits(both: Both) -> None:
    recorded(both.one)
    root = both.one.root
    copies = [both.one.blobs.here.path(digest) for digest in both.one.blobs.here.digests()]
    for path in copies:
        os.utime(path, (1, 1))
    (root / "swept").unlink()
    (root / "open" / ".waits").touch()
    far(both.uri, both.path / "one")
    assert all(path.exists() for path in copies)
    (root / "open" / ".waits").unlink()
    far(both.uri, both.path / "one")
    assert not any(path.exists() for path in copies)
    assert both.one.blobs.path(Digest.of(b"model")).read_bytes() == b"model"
