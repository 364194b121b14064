from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mlproj.errors import Altered, MlprojError, StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.model.record import EntryKind
from mlproj.model.run import Run
from mlproj.services.bundle_verification import verify_bundle
from mlproj.services.cleaning import Manner, gc
from mlproj.services.importing import attached, bring_in, import_bundle
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from mlproj.testing import Recorder
from tests.services.bundles import (
    LIMITS,
    PARTS,
    TABLE,
    Files,
    contents,
    export,
    leaves,
    made_to_fit,
    rewritten,
    run_with_data,
)
from tests.store.runs import begun, ended
from tests.store.tracking.desk import Desk, log_everything


@pytest.fixture
def other(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / "other", create=True)


@pytest.fixture
def handed(store: FolderStore, tmp_path: Path) -> Run:
    """A run with data that was exported to `run.zip`."""
    run = run_with_data(store, tmp_path / "project")
    export(store, run, tmp_path / "run.zip", "data")
    return run


def manner() -> Manner:
    return Manner(who="ada", now="2100-01-01T00:00:00Z", grace_s=0.0, dry_run=False)


def test_a_run_is_the_same_run_there(
    store: FolderStore, other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    brought = import_bundle(tmp_path / "run.zip", other)
    assert (brought.run_id, brought.name, brought.record) == (handed.run_id, handed.name, handed.record)
    assert (brought.plan, brought.job, brought.outcome) == (handed.plan, handed.job, handed.outcome)
    assert next(other.entries()).payload == next(store.entries()).payload
    assert other.find("calm-heron") == brought == other.search(RunQuery())[0]
    assert other.index(brought.run_id)["metrics"] == store.index(handed.run_id)["metrics"]
    found = verify(other)
    assert found.problems == () and found.runs == 1


def test_what_came_beside_the_record_is_found_again(other: FolderStore, handed: Run, tmp_path: Path) -> None:
    brought = import_bundle(tmp_path / "run.zip", other)
    found = attached(other, brought)
    assert found["data/data.csv"] == Digest.of(TABLE)
    assert {path: found[f"data/parts/{path.decode()}"] for path in PARTS} == {
        path: Digest.of(content) for path, content in PARTS.items()
    }
    assert all(digest in other.blobs for digest in found.values())
    assert handed.job is not None
    assert all(state.digest in other.blobs for state in handed.job.inputs if state.digest is not None)


def test_what_came_beside_it_stays_as_long_as_the_run(
    other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    brought = import_bundle(tmp_path / "run.zip", other)
    gc(other, manner(), Recorder())
    assert all(digest in other.blobs for digest in attached(other, brought).values())
    assert verify(other).sound
    other.hide(brought.run_id)
    gc(other, manner(), Recorder())
    assert list(other.blobs.digests()) == []
    assert verify(other).sound


def test_altered_data_of_a_bundle_is_noticed(other: FolderStore, handed: Run, tmp_path: Path) -> None:
    import_bundle(tmp_path / "run.zip", other)
    path = other.blobs.path(Digest.of(TABLE))
    path.chmod(0o600)
    path.write_bytes(b"other")
    (problem,) = verify(other).problems
    assert (problem.run_name, problem.part) == ("calm-heron", "attached/data/data.csv")


def test_twice_is_fine(other: FolderStore, handed: Run, tmp_path: Path) -> None:
    first = bring_in(tmp_path / "run.zip", lambda: other, LIMITS)
    again = bring_in(tmp_path / "run.zip", lambda: other, LIMITS)
    assert first.new and not again.new and again.files == 0
    assert again.run == first.run
    assert [entry.kind for entry in other.entries()] == [EntryKind.RUN, EntryKind.AMENDMENT]


def test_into_the_store_that_it_came_from(store: FolderStore, handed: Run, tmp_path: Path) -> None:
    brought = bring_in(tmp_path / "run.zip", lambda: store, LIMITS)
    assert not brought.new
    assert Digest.of(TABLE) in store.blobs
    assert verify(store).sound


def test_a_later_bundle_brings_what_the_first_did_not(
    store: FolderStore, other: FolderStore, tmp_path: Path
) -> None:
    run = run_with_data(store, tmp_path / "project")
    export(store, run, tmp_path / "small.zip")
    export(store, run, tmp_path / "large.zip", "data")
    assert attached(other, import_bundle(tmp_path / "small.zip", other)) == {}
    assert "data/data.csv" in attached(other, import_bundle(tmp_path / "large.zip", other))
    assert "data/data.csv" in attached(other, import_bundle(tmp_path / "small.zip", other))
    assert verify(other).sound


def test_another_record_of_the_same_run_is_refused(
    store: FolderStore, other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    run = replace(begun(other.blobs), run_id=handed.run_id)
    with other.begin(run):
        with pytest.raises(Altered, match="which is still running"):
            import_bundle(tmp_path / "run.zip", other)
        other.seal(ended(other.blobs, run))
    with pytest.raises(Altered, match=f"has a run `{handed.run_id}` already, which has another record"):
        import_bundle(tmp_path / "run.zip", other)


def test_a_run_that_was_forgotten_is_not_brought_back_in_silence(
    other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    brought = import_bundle(tmp_path / "run.zip", other)
    other.hide(brought.run_id)
    gc(other, manner(), Recorder())
    with pytest.raises(StoreError, match="was removed by ada"):
        import_bundle(tmp_path / "run.zip", other)
    assert verify(other).sound


def test_a_bundle_with_anything_wrong_leaves_the_store_as_it_was(
    other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    changed = rewritten(tmp_path / "run.zip", lambda files: files.update({"outputs/model.bin": b"other"}))
    before = sorted(str(path) for path in other.root.rglob("*"))
    with pytest.raises(Altered, match=r"outputs/model\.bin: is not what the record names"):
        import_bundle(changed, other)
    assert sorted(str(path) for path in other.root.rglob("*")) == before
    opened: list[str] = []
    with pytest.raises(Altered):
        bring_in(changed, lambda: opened.append("opened") or other, LIMITS)  # type: ignore[func-returns-value]  # it is None
    assert opened == []


def test_an_imported_run_is_exported_like_any_other(other: FolderStore, handed: Run, tmp_path: Path) -> None:
    run_with_data(other, tmp_path / "elsewhere", name="before")
    brought = import_bundle(tmp_path / "run.zip", other)
    for path in (tmp_path / "project").rglob("*.csv"):
        path.unlink()
    export(other, brought, tmp_path / "again.zip", "data")
    assert verify_bundle(tmp_path / "again.zip", LIMITS).sound
    first, again = contents(tmp_path / "run.zip"), contents(tmp_path / "again.zip")
    ours = {name for name in first.keys() ^ again.keys()}
    assert ours == {"chain/1.json", "chain/2.json"}, "the link alone is the other store's"
    assert {name for name in first.keys() & again.keys() if first[name] != again[name]} == {
        "bundle.json",
        "manifest-sha256.txt",
    }


def test_what_was_added_after_the_seal_comes_along(
    store: FolderStore, other: FolderStore, tmp_path: Path
) -> None:
    run = run_with_data(store, tmp_path / "project")
    store.amend(run.run_id, "tag", {"key": "team", "value": "red"})
    store.amend(run.run_id, "param", {"key": "late", "value": "1"})
    store.amend(run.run_id, "metrics", {"points": '{"key":"auc","step":1,"timestamp":5,"value":0.5}\n'})
    store.rename(run.run_id, "renamed")
    export(store, store.find(run.run_id), tmp_path / "run.zip")
    brought = import_bundle(tmp_path / "run.zip", other)
    assert brought.name == "renamed"
    assert [item.kind for item in brought.amendments] == ["tag", "param", "metrics", "name", "attached"]
    for name in ("tags", "params", "metrics", "history"):
        assert other.index(brought.run_id)[name] == store.index(run.run_id)[name]
    assert verify(other).problems == ()


def test_everything_that_a_script_logged_comes_along(tmp_path: Path, other: FolderStore) -> None:
    desk = Desk(tmp_path / "desk")
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        sealed = desk.store.seal(ended(desk.store.blobs, run))
    export(desk.store, desk.store.find(sealed.run_id), tmp_path / "run.zip")
    brought = import_bundle(tmp_path / "run.zip", other)
    assert verify(other).problems == ()
    ours, theirs = desk.store.index(sealed.run_id), other.index(brought.run_id)
    assert {**ours, "sequence": 0} == {**theirs, "sequence": 0}
    desk.close()


def test_nothing_is_left_of_an_import_that_was_cut_off(
    other: FolderStore, handed: Run, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def report(event: object) -> None:
        if getattr(event, "stage", "") == "import" and hasattr(event, "done"):
            raise Stop

    with pytest.raises(Stop):
        bring_in(tmp_path / "run.zip", lambda: other, LIMITS, report)
    assert other.search(RunQuery()) == ()
    assert list((other.root / "runs").iterdir()) == []
    gc(other, manner(), Recorder())
    assert list(other.blobs.digests()) == []
    assert import_bundle(tmp_path / "run.zip", other, silent).run_id == handed.run_id
    assert os.listdir(other.root / "runs") == []


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a run to which a script logged one of everything, and that has a tag from later."""
    folder = tmp_path_factory.mktemp("rich")
    desk = Desk(folder / "desk")
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        sealed = desk.store.seal(ended(desk.store.blobs, run))
    desk.store.amend(sealed.run_id, "tag", {"key": "team", "value": "red"})
    export(desk.store, desk.store.find(sealed.run_id), folder / "run.zip")
    desk.close()
    return folder / "run.zip"


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_no_record_that_somebody_made_up_breaks_anything(
    rich: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    record = json.loads(contents(rich)["record.json"])
    path = data.draw(st.sampled_from(list(leaves(record))))
    odd = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(
            ["", "../../x", "/etc/passwd", "x\\y", "\x00", "NaN", "é" * 300, "sha256:" + "0" * 64]
        ),
        st.just([]),
        st.just({}),
    )
    value = data.draw(odd)

    def change(files: Files) -> None:
        at = record
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        made_to_fit(files, record)

    try:
        changed = rewritten(rich, change)
    except (ValueError, KeyError, TypeError):
        return  # no bundle can say so
    root = tmp_path_factory.mktemp("made up")
    found = verify_bundle(changed, LIMITS)
    store = open_store(root / "store", create=True)
    try:
        brought = import_bundle(changed, store)
        assert found.sound
        assert store.find(brought.run_id) == brought
    except MlprojError:
        assert store.search(RunQuery()) == ()
    finally:
        assert verify(store).problems == ()
        store.close()
    assert sorted(path.name for path in root.iterdir()) == ["store"]
