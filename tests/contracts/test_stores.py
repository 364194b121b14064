"""What every kind of run store does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import RunNotFound, StoreError, UsageError
from mlproj.model.digest import Digest
from mlproj.model.record import EntryKind, read_document
from mlproj.model.run import Run, Status
from mlproj.services.verify import verify
from mlproj.store.opening import open_served_store, open_store
from mlproj.store_ports import Condition, RunQuery, RunStore
from tests.contracts.places import PLACES, store_at
from tests.databases import KINDS, new_uri
from tests.remote.store.serving import far_store
from tests.s3_server import S3Server
from tests.store.runs import begun, ended

StoreMaker = Callable[[Path, S3Server], AbstractContextManager[RunStore]]


@contextlib.contextmanager
def placed(place: str, path: Path, s3: S3Server) -> Iterator[RunStore]:
    yield store_at(place, path, s3)


@contextlib.contextmanager
def at_a_server(kind: str, path: Path, s3: S3Server) -> Iterator[RunStore]:
    yield open_served_store(new_uri(kind), path / ".mlproj", create=True)


@contextlib.contextmanager
def from_afar(path: Path, s3: S3Server) -> Iterator[RunStore]:
    with far_store(path) as store:
        yield store


STORES: dict[str, StoreMaker] = {
    **{place: partial(placed, place) for place in PLACES},
    **{kind: partial(at_a_server, kind) for kind in KINDS},
    "server": from_afar,
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Iterator[RunStore]:
    with STORES[request.param](tmp_path, s3) as store:
        yield store


def record(store: RunStore, run: Run) -> Run:
    """Begins and seals a run that has an outcome."""
    with store.begin(replace(run, outcome=None, status=Status.RUNNING)):
        return store.seal(run)


def sealed(store: RunStore, *, name: str = "calm-heron", alpha: float = 0.5, rmse: float | str = 0.25) -> Run:
    return record(store, ended(store.blobs, begun(store.blobs, name=name, alpha=alpha), rmse=rmse))


def names(store: RunStore, *conditions: tuple[str, str, str], sort: str | None = None) -> list[str]:
    wanted = tuple(Condition(field=field, operator=sign, value=value) for field, sign, value in conditions)
    return [run.name for run in store.search(RunQuery(conditions=wanted, sort=sort))]


def test_a_run_is_found_running_while_it_is_begun_and_sealed_afterwards(store: RunStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        assert store.find(run.run_id) == run
        done = store.seal(ended(store.blobs, run))
    assert store.find(run.run_id) == done
    assert (done.status, done.sequence) == (Status.FINISHED, 1)


def test_the_chain_holds_the_canonical_record_verbatim(store: RunStore) -> None:
    first, second = sealed(store, name="one"), sealed(store, name="two")
    entries = list(store.entries())
    assert [entry.run_id for entry in entries] == [first.run_id, second.run_id]
    assert entries[1].previous == entries[0].link == entries[0].expected_link
    assert entries[0].payload is not None
    assert Digest.of(entries[0].payload) == first.record
    assert read_document(entries[0].payload, name="one").outcome == first.outcome
    assert store.head() == (2, entries[1].link)


def test_a_sealed_run_is_not_sealed_again(store: RunStore) -> None:
    run = sealed(store)
    with pytest.raises(StoreError, match="sealed already"):
        store.seal(run)
    assert len(list(store.entries())) == 1


def test_an_id_is_taken_once(store: RunStore) -> None:
    run = sealed(store)
    with pytest.raises(StoreError, match="already"), store.begin(replace(run, outcome=None)):
        pass


def test_a_record_names_only_blobs_that_are_there(store: RunStore) -> None:
    run = begun(store.blobs)
    done = ended(store.blobs, run)
    assert done.outcome is not None
    logs = (replace(done.outcome.logs[0], digest=Digest.of(b"never stored")),)
    with store.begin(run), pytest.raises(StoreError, match=r"logs\.stdout"):
        store.seal(replace(done, outcome=replace(done.outcome, logs=logs)))


def test_a_run_that_json_cannot_hold_is_refused_in_a_sentence(store: RunStore) -> None:
    run = begun(store.blobs)
    assert run.job is not None
    wide = replace(run, job=replace(run.job, tags=(("broken", "\udcff"),)))
    with pytest.raises(StoreError, match="cannot be recorded"), store.begin(wide):
        pass


def test_last_is_the_newest_that_is_not_hidden(store: RunStore) -> None:
    older, newer = sealed(store, name="older"), sealed(store, name="newer")
    assert store.find("last").run_id == newer.run_id
    store.hide(newer.run_id)
    assert store.find("last").run_id == older.run_id
    assert store.find(newer.run_id).deleted
    store.hide(newer.run_id, hidden=False)
    assert store.find("last").run_id == newer.run_id


def test_a_name_means_its_newest_run_and_a_prefix_must_be_unique(store: RunStore) -> None:
    first = replace(begun(store.blobs, name="twice"), run_id="abcd" + "0" * 28)
    second = replace(begun(store.blobs, name="twice"), run_id="abcd" + "1" * 28)
    for run in (first, second):
        record(store, ended(store.blobs, run))
    assert store.find("twice").run_id == second.run_id
    assert store.find("abcd0").run_id == first.run_id
    with pytest.raises(RunNotFound, match="several runs") as several:
        store.find("abcd")
    assert first.run_id in several.value.message
    with pytest.raises(RunNotFound):
        store.find("abc")
    with pytest.raises(RunNotFound) as near:
        store.find("twicee")
    assert near.value.hint == "did you mean `twice`?"


def test_an_empty_store_has_no_last_run(store: RunStore) -> None:
    with pytest.raises(RunNotFound, match="no run yet"):
        store.find("last")
    assert store.search(RunQuery()) == ()


def test_metrics_and_parameters_compare_as_numbers(store: RunStore) -> None:
    sealed(store, name="nine", alpha=9, rmse=9)
    sealed(store, name="ten", alpha=10, rmse=10)
    sealed(store, name="nan", alpha=2, rmse="NaN")
    assert names(store, ("metrics.rmse", "<", "9.5")) == ["nine"]
    assert names(store, ("metrics.rmse", ">", "9.5")) == ["ten"]
    assert names(store, ("params.alpha", ">", "9.5")) == ["ten"]
    assert names(store, ("params.alpha", "=", "10")) == ["ten"]
    assert names(store, ("params.kind", "~", "LINEAR"), ("params.alpha", "<=", "9")) == ["nan", "nine"]
    assert names(store, sort="metrics.rmse") == ["nine", "ten", "nan"]
    assert names(store, sort="-params.alpha") == ["ten", "nine", "nan"]


def test_attributes_are_searched_and_values_are_never_sql(store: RunStore) -> None:
    sealed(store, name="it's")
    sealed(store, name="100%")
    assert names(store, ("name", "=", "it's")) == ["it's"]
    assert names(store, ("name", "~", "%")) == ["100%"]
    assert names(store, ("name", "=", "' OR 1=1 --")) == []
    assert names(store, ("status", "=", "finished"), ("commit", "=", "c" * 40)) == ["100%", "it's"]
    assert names(store, ("dirty", "=", "true")) == []
    assert names(store, ("exit_code", ">=", "0"), sort="created") == ["100%", "it's"]
    assert [run.name for run in store.search(RunQuery(limit=1))] == ["100%"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("stauts", "=", "x"), "no field `stauts`"),
        (("metrics.rmse", "=", "low"), "compared with a number"),
        (("metrics.rmse", "~", "1"), "no text"),
        (("name", "like", "x"), "not a comparison"),
        (("status", "=", "FINISHD"), "not a status"),
        (("dirty", "=", "perhaps"), "`true` or `false`"),
        (("metrics", "=", "1"), "no field `metrics`"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    store: RunStore, condition: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        names(store, condition)
    with pytest.raises(UsageError):
        names(store, sort="stauts")


def test_hidden_runs_are_listed_only_when_asked_for(store: RunStore) -> None:
    run = sealed(store)
    store.hide(run.run_id)
    assert store.search(RunQuery()) == ()
    assert [found.run_id for found in store.search(RunQuery(deleted=True))] == [run.run_id]
    assert verify(store).sound


def test_what_comes_after_the_seal_is_a_link_of_its_own(store: RunStore) -> None:
    run = sealed(store)
    store.amend(run.run_id, "tag", {"key": "reviewed", "value": "yes"})
    store.rename(run.run_id, "bold-heron")
    found = store.find("bold-heron")
    assert [(item.kind, item.content) for item in found.amendments] == [
        ("tag", {"key": "reviewed", "value": "yes"}),
        ("name", {"name": "bold-heron"}),
    ]
    assert [entry.kind for entry in store.entries()] == [EntryKind.RUN, *[EntryKind.AMENDMENT] * 2]
    assert found.record == run.record
    assert verify(store).sound


def test_a_running_run_cannot_be_amended_hidden_or_forgotten(store: RunStore) -> None:
    run = begun(store.blobs)
    with store.begin(run):
        with pytest.raises(StoreError, match="not sealed"):
            store.amend(run.run_id, "tag", {})
        with pytest.raises(StoreError, match="running"):
            store.hide(run.run_id)
        with pytest.raises(StoreError, match="not hidden"):
            store.housekeeper.forget([run.run_id], who="ada", why="x")


def test_a_forgotten_run_leaves_a_tombstone_and_what_others_share(store: RunStore) -> None:
    kept = sealed(store, name="kept")
    unwanted = record(store, ended(store.blobs, begun(store.blobs, name="secret"), model=b"only here"))
    store.amend(unwanted.run_id, "tag", {"key": "password", "value": "hunter2"})
    with pytest.raises(StoreError, match="not hidden"):
        store.housekeeper.forget([unwanted.run_id], who="ada", why="held a password")
    store.hide(unwanted.run_id)
    garbage = store.housekeeper.garbage(without=[unwanted.run_id])
    assert Digest.of(b"only here") in garbage.blobs and Digest.of(b"<p>") not in garbage.blobs
    store.housekeeper.forget([unwanted.run_id], who="ada", why="held a password")
    assert store.housekeeper.remove(garbage).files == len(garbage.blobs) == 1
    assert Digest.of(b"only here") not in store.blobs
    assert Digest.of(b"<p>") in store.blobs
    assert [entry.payload is None for entry in store.entries()] == [False, True, True, False]
    with pytest.raises(RunNotFound, match=r"removed by ada at .*: held a password"):
        store.find(unwanted.run_id)
    assert [run.name for run in store.search(RunQuery(deleted=True))] == ["kept"]
    verification = verify(store)
    assert verification.problems == ()
    assert verification.removed == (unwanted.run_id,)
    assert store.find("last") == kept


def test_unknown_runs_are_not_found(store: RunStore) -> None:
    for act in (store.hide, store.index):
        with pytest.raises(RunNotFound):
            act("f" * 32)


def test_blobs_have_the_name_of_their_content(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert store.blobs.add_file(tmp_path / "file") == (Digest.of(b"content"), 7)
    digest = store.blobs.add_bytes(b"content")
    assert store.blobs.path(digest).read_bytes() == b"content"
    assert list(store.blobs.digests()) == [digest]
    assert digest in store.blobs and Digest.of(b"other") not in store.blobs
    with pytest.raises(StoreError, match="holds no content"):
        store.blobs.path(Digest.of(b"other"))
    assert store.blobs.adopt_file(tmp_path / "file") == (digest, 7)
    (tmp_path / "other").write_bytes(b"adopted")
    adopted, _ = store.blobs.adopt_file(tmp_path / "other")
    assert store.blobs.path(adopted).read_bytes() == b"adopted"
    assert (tmp_path / "other").read_bytes() == b"adopted", "until the record is sealed it is needed there"
    for nothing in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StoreError):
            store.blobs.add_file(nothing)


def test_many_files_are_added_but_those_that_changed(store: RunStore, tmp_path: Path) -> None:
    files = []
    for number in range(40):
        path = tmp_path / f"{number}"
        path.write_bytes(b"%d" % (number // 2))
        files.append((path, Digest.of(path.read_bytes())))
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    gone = (tmp_path / "gone", Digest.of(b"gone"))
    changed = (tmp_path / "changed", Digest.of(b"before"))
    changed[0].write_bytes(b"after")
    wanted = [*files, (link, Digest.of(b"nowhere")), gone, changed]
    assert set(store.blobs.add_files(wanted)) == {gone[0], changed[0]}
    assert set(store.blobs.digests()) == {digest for _, digest in (*files, wanted[40])}


def test_the_entries_of_one_run_are_given_alone(store: RunStore) -> None:
    first, second = sealed(store, name="one"), sealed(store, name="two")
    store.amend(first.run_id, "tag", {"key": "a", "value": "b"})
    assert [entry.sequence for entry in store.entries(run_id=first.run_id)] == [1, 3]
    assert [entry.sequence for entry in store.entries(run_id=second.run_id)] == [2]
    assert list(store.entries(run_id="0" * 32)) == []


def test_a_record_of_another_store_is_brought_in_verbatim(store: RunStore, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other", create=True)
    run = sealed(other)
    (entry,) = other.entries()
    assert entry.payload is not None
    with store.lease():
        with pytest.raises(StoreError, match="does not hold its"):
            store.bring(run, entry.payload, ())
        for digest in other.blobs.digests():
            store.blobs.add_file(other.blobs.path(digest))
        brought = store.bring(run, entry.payload, ())
    assert (brought.record, brought.outcome, brought.name) == (run.record, run.outcome, run.name)
    assert [(each.kind, each.payload) for each in store.entries()] == [(EntryKind.RUN, entry.payload)]
    with pytest.raises(StoreError, match="already"):
        store.bring(run, entry.payload, ())
    assert verify(store).problems == ()
