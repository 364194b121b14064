"""What somebody tries at a server that keeps whole runs, who knows the digest of another's content, or has
ids of their own making."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.access import Level
from mlproj.model.bundle import ATTACHED
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.entries import AmendmentDocument
from mlproj.model.record import blobs_of, encode, seal_document
from mlproj.model.run import Amendment, Imported, MetricPoint, Output, Run
from mlproj.model.source import OmittedFile
from mlproj.server.held import HeldBlobs
from mlproj.store_wire import BEGIN, SEAL, Begin, Seal, encoded
from tests.server.calling import calling
from tests.server.test_store_rights import ADA, BOB, SECRET, Person, Place, in_experiment, served_to
from tests.store.runs import begun, ended

HERS = Digest.of(SECRET)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Bob knows the digest of what Ada's run left."""
    people = [
        Person("ada", {ADA: Level.MANAGE}),
        Person("bob", {BOB: Level.MANAGE}),
        Person("reader", {ADA: Level.EDIT}),
    ]
    with served_to(tmp_path, people) as place:
        in_experiment(place.ada, "of ada", name="hers", model=SECRET)
        yield place


def his(place: Place) -> tuple[Run, Run]:
    """A run of Bob's as it begins and as it ends."""
    run = begun(place.bob.blobs)
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment="of bob"))
    return run, ended(place.bob.blobs, run)


def leaving(run: Run, output: Output, *lost: Digest) -> Run:
    assert run.outcome is not None
    return replace(run, outcome=replace(run.outcome, outputs=(output,), lost=lost))


def an_output(run: Run, digest: Digest, **otherwise: str) -> Output:
    assert run.outcome is not None
    named = {"path": "artifacts/stolen", **otherwise}
    return replace(run.outcome.outputs[0], digest=digest, **named)


def refuse(place: Place, run: Run) -> None:
    """Nothing of hers comes to Bob by that run of his."""
    known = place.bob.find(run.run_id)
    assert HERS not in place.bob.blobs
    with pytest.raises(StoreError, match="holds no content"):
        place.bob.blobs.path(HERS)
    assert place.bob.blobs.sizes([HERS]) == {}
    there = HeldBlobs(place.store.blobs, known)
    assert HERS in place.store.blobs and HERS not in there
    with pytest.raises(StoreError, match="holds no content"):
        there.path(HERS)
    files = (path for path in place.store.workspace(run.run_id).rglob("*") if path.is_file())
    assert [path for path in files if path.read_bytes() == SECRET] == []


def test_what_a_run_says_it_lost_is_not_to_be_had_by_it(place: Place) -> None:
    run, done = his(place)
    with place.bob.begin(run):
        place.bob.seal(leaving(done, an_output(done, HERS), HERS))
    refuse(place, run)


def test_what_a_run_did_not_write_is_not_to_be_had_by_it(place: Place) -> None:
    run, done = his(place)
    with place.bob.begin(run):
        place.bob.seal(leaving(done, an_output(done, HERS, state="unchanged")))
    refuse(place, run)


def test_a_list_of_files_that_comes_after_the_run_gives_nothing(place: Place) -> None:
    run, done = his(place)
    listing = folder_manifest([(b"stolen", HERS)])
    with place.bob.begin(run):
        place.bob.seal(leaving(done, an_output(done, Digest.of(listing), kind="folder"), Digest.of(listing)))
    place.bob.blobs.send([place.bob.blobs.here.add_bytes(listing)])
    refuse(place, run)


def test_what_a_snapshot_leaves_out_is_not_to_be_had_as_an_output(place: Place) -> None:
    run, done = his(place)
    assert run.job is not None
    left_out = OmittedFile(path="data.bin", reason="too large", size=1, digest=HERS)
    source = replace(run.job.source, omitted=(left_out,))
    run = replace(run, job=replace(run.job, source=source))
    done = replace(done, job=run.job)
    with place.bob.begin(run):
        with pytest.raises(StoreError, match=r"does not hold its `outputs\."):
            place.bob.seal(leaving(done, an_output(done, HERS)))
        place.bob.seal(done)
    refuse(place, run)


def test_an_amendment_that_comes_with_a_run_gives_nothing(place: Place) -> None:
    run, done = his(place)
    place.bob.blobs.send([reference.digest for reference in blobs_of(done)])
    for digest in (HERS, place.bob.blobs.add_bytes(folder_manifest([(b"stolen", HERS)]))):
        content = {"manifest": str(digest), "record": "new"}
        added = encode(AmendmentDocument(run_id=run.run_id, kind=ATTACHED, content=content))
        with pytest.raises(StoreError, match=f"does not hold its `{ATTACHED}`"):
            place.bob.bring(done, seal_document(done), [added])
    place.bob.bring(done, seal_document(done), [])
    refuse(place, run)


@pytest.mark.parametrize("run_id", ["..", ".", "a/b", "../../elsewhere", "", "a\0b", "a" * 65, "ä", "-a"])
def test_a_run_has_no_id_that_leads_out_of_its_folder(place: Place, run_id: str) -> None:
    run, done = (replace(each, run_id=run_id) for each in his(place))
    headers = {"Authorization": "Bearer bob", "Content-Type": "application/msgpack"}
    with calling(place.uri) as caller:
        asked = ((BEGIN.path, Begin(run=run)), (SEAL.path, Seal(run=done)))
        answers = [caller.raw("POST", f"/api/{path}", encoded(body), headers) for path, body in asked]
    assert b"cannot be the id of a run" in answers[0][1]
    assert all(400 <= status < 600 and status != 500 for status, _ in answers), answers
    place.bob.blobs.send([reference.digest for reference in blobs_of(done)])
    with pytest.raises(StoreError):
        place.store.bring(done, seal_document(done), [])


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("status", {"status": "POISON"}),
        ("status", {"ended": "9" * 30}),
        ("status", {"ended": "-1"}),
        ("output", {"path": "a", "state": "written", "size": "9" * 30}),
        ("output", {"path": "a", "state": "POISON", "size": "1"}),
        ("output", {"path": "a"}),
        ("metrics", {"points": '{"key":"a","step":9223372036854775808,"timestamp":1,"value":1}'}),
        ("metrics", {}),
        ("param", {"key": "a"}),
        ("tag", {"key": "a\0b", "value": "c"}),
        ("tag", {"key": "a", "value": "b" * (17 << 20)}),
        ("experiment", {"experiment": ADA, "name": "another", "was": "of ada"}),
        ("a\nb", {}),
        ("", {}),
    ],
)
def test_no_addition_keeps_a_run_from_being_searched(
    place: Place, kind: str, content: dict[str, str]
) -> None:
    """It could not be taken back: whoever may write one run would hide all that is beside it."""
    run_id = place.store.find("hers").run_id
    before = place.store.head()
    with pytest.raises(StoreError, match="cannot be amended"):
        place.reader.amend(run_id, kind, content)
    run, done = his(place)
    place.bob.blobs.send([reference.digest for reference in blobs_of(done)])
    added = encode(AmendmentDocument(run_id=run.run_id, kind=kind, content=content))
    with pytest.raises(StoreError, match="cannot be recorded"):
        place.bob.bring(done, seal_document(done), [added])
    assert place.store.head() == before


def test_what_a_store_says_of_a_run_its_runner_does_not(place: Place) -> None:
    run, done = his(place)
    poison = Amendment(sequence=1, time="", kind="status", content={"status": "POISON"})
    elsewhere = Imported(origin="nowhere", document=HERS, status="POISON")
    told = {"amendments": (poison,), "imported": elsewhere, "deleted": True, "record": HERS, "sequence": 1}
    headers = {"Authorization": "Bearer bob", "Content-Type": "application/msgpack"}
    place.bob.blobs.send([reference.digest for reference in blobs_of(done)])
    with calling(place.uri) as caller:
        for path, body in (
            (BEGIN.path, Begin(run=replace(run, **told))),
            (SEAL.path, Seal(run=replace(done, **told))),
        ):
            status, content = caller.raw("POST", f"/api/{path}", encoded(body), headers)
            assert status == 200, content
            found = caller.done("POST", "runs/search", experiment_ids=[BOB])["runs"]
            assert "POISON" not in str(found) and run.run_id in str(found)
    known = place.store.find(run.run_id)
    assert (known.amendments, known.imported, known.deleted) == ((), None, False)


def test_a_point_that_is_no_number_is_told(place: Place) -> None:
    run, done = his(place)
    assert done.outcome is not None
    points = (MetricPoint(key="a", value="POISON"),)
    with place.bob.begin(run), pytest.raises(StoreError, match="cannot be recorded"):
        place.bob.seal(replace(done, outcome=replace(done.outcome, metrics=points)))


def test_whoever_may_write_and_not_manage_deletes_nothing(place: Place) -> None:
    run_id = place.store.find("hers").run_id
    with pytest.raises(StoreError, match="not yours to manage"):
        place.reader.hide(run_id)
    assert not place.store.find("hers").deleted
    place.reader.rename(run_id, "theirs")
    place.ada.hide(run_id)
    with pytest.raises(StoreError, match="not yours to manage"):
        place.reader.hide(run_id, hidden=False)
