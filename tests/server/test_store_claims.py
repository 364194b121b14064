"""What a server takes of whoever brings a run: what it names must be such as runs leave, and naming it gives
nothing that its runner did not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj import store_wire as wire
from mlproj.errors import NoRoom, NotFound, NotTaken
from mlproj.exports.dsse import sealed
from mlproj.exports.intoto import PAYLOAD_TYPE, statement
from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.model.digest import Digest, canonical, folder_manifest, read_manifest
from mlproj.model.provenance import InputState
from mlproj.model.record import ATTESTED, blobs_of, seal_document
from mlproj.model.run import Output, Run
from mlproj.model.tracking import NewRun
from mlproj.remote.store.store import FarStore
from mlproj.server.failures import told
from mlproj.services.attestation import Attestations
from mlproj.services.lineage import lineage
from mlproj.services.passing_on import pass_on
from mlproj.services.verify import verify
from mlproj.store.database import transaction
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.testing import FakeObserver
from tests.server.calling import calling
from tests.server.test_store_attacks import an_output, his, leaving
from tests.server.test_store_rights import BOB, Place, place
from tests.store.runs import begun, ended

__all__ = ["place"]

INSIDE, OTHER = Digest.of(b"her numbers"), Digest.of(b"her notes")
LISTING = folder_manifest([(b"hers/numbers.csv", INSIDE), (b"hers/notes.txt", OTHER)])
FOLDER = Digest.of(LISTING)
READ = InputState(name="data", path="data", kind="folder", digest=FOLDER, size=20, files=2)


def reading(store: FarStore, experiment: str, *states: InputState) -> Run:
    """A run that begins there with that data."""
    run = begun(store.blobs)
    assert run.job is not None
    return replace(run, job=replace(run.job, experiment=experiment, inputs=states))


def hers(place: Place) -> Run:
    """A run of Ada's that reads the folder, whose files the store never holds."""
    run = reading(place.ada, "of ada", READ)
    with place.ada.begin(run):
        place.ada.contents.add_folder(LISTING)
        return place.ada.seal(ended(place.ada.blobs, run))


def send(place: Place, run: Run) -> None:
    """Has the server hold what Bob's run names, as far as he has it."""
    named = (reference.digest for reference in blobs_of(run))
    place.bob.blobs.send([digest for digest in named if digest in place.bob.blobs.here])


def answer(place: Place, question: wire.Question, asked: wire.Asked) -> tuple[int, str]:
    headers = {"Authorization": "Bearer bob", "Content-Type": "application/msgpack"}
    with calling(place.uri) as caller:
        status, content = caller.raw("POST", f"/api/{question.path}", wire.encoded(asked), headers)
    return status, content.decode("utf-8", "replace")


def refused(place: Place, run: Run, done: Run) -> str:
    """What Bob is told who has a run sealed, and who has it brought; his own goes on and can be sealed."""
    with place.bob.begin(run):
        send(place, done)
        status, _ = answer(place, wire.SEAL, wire.Seal(run=done))
        assert status == 400
        with pytest.raises(NotTaken) as seal:
            place.bob.seal(done)
        assert place.bob.seal(ended(place.bob.blobs, run)).record is not None
    other = replace(done, run_id="f" * 32)
    with pytest.raises(NotTaken) as brought:
        place.bob.bring(other, seal_document(other), [])
    assert verify(place.store).problems == ()
    return f"{seal.value.message}\n{brought.value.message}"


ODD_LISTS = (
    f"{INSIDE.hex}  z\n{OTHER.hex}  b-unsorted\n".encode(),
    f"{INSIDE.hex}  back\\slash\n".encode(),
    folder_manifest([(b"../up", INSIDE)]),
)


@pytest.mark.parametrize("manifest", ODD_LISTS)
def test_a_list_of_files_that_is_none_of_ours_is_not_taken(place: Place, manifest: bytes) -> None:
    run, done = his(place)
    for content in (b"her numbers", b"her notes"):
        place.bob.blobs.send([place.bob.blobs.here.add_bytes(content)])
    folder = place.bob.blobs.here.add_bytes(manifest)
    told = refused(place, run, leaving(done, an_output(done, folder, kind="folder", path="fo")))
    assert told.count("outputs.fo") == 2


@pytest.mark.parametrize("manifest", ODD_LISTS[:2])
def test_no_list_is_noted_that_could_not_be_verified(place: Place, manifest: bytes) -> None:
    run, done = his(place)
    with place.bob.begin(run):
        send(place, done)
        asked = ((wire.SEAL, wire.Seal(run=done, folders=(manifest,))), (wire.ADD_FOLDER, None))
        for question, seal in asked:
            status, told = answer(place, question, seal or wire.Folder(manifest=manifest))
            assert status == 400 and "not as mlproj writes it" in told
        place.bob.seal(done)
    # Nor is one that a run says it lost, or that it says a tracking server holds, and which comes later.
    for state, lost in (("written", (Digest.of(manifest),)), ("served", ())):
        run, done = his(place)
        output = an_output(done, Digest.of(manifest), kind="folder", path="fo", state=state)
        place.bob.blobs.send([place.bob.blobs.here.add_bytes(manifest)])
        with place.bob.begin(run):
            place.bob.seal(leaving(done, output, *lost))
    assert verify(place.store).problems == ()


@pytest.mark.parametrize("manifest", ODD_LISTS[:2])
def test_what_a_store_took_in_once_is_no_alteration(place: Place, manifest: bytes) -> None:
    """Stores noted lists as they came: what is noted of such a one is what it says."""
    store, rows = place.store, read_manifest(manifest)
    run = begun(store.blobs)
    done = ended(store.blobs, run)
    for content in (b"her numbers", b"her notes"):
        store.blobs.add_bytes(content)
    folder = store.blobs.add_bytes(manifest)
    with transaction(store.connection):
        store.connection.execute("INSERT INTO folders (id, digest) VALUES (7, ?)", (folder,))
        store.connection.executemany(
            "INSERT INTO folder_files (folder, position, path, digest) VALUES (7, ?, ?, ?)",
            [(position, path, digest) for position, (path, _, digest) in enumerate(rows)],
        )
    with store.begin(run):
        store.seal(leaving(done, an_output(done, folder, kind="folder", path="fo")))
    assert verify(store).problems == ()
    with transaction(store.connection):
        store.connection.execute("UPDATE folder_files SET path = x'61' WHERE folder = 7")
    assert [problem.part for problem in verify(store).problems] == ["index.folders"]


@pytest.mark.parametrize("path", ["", "..", "../up", "/etc/x", "a//b", "a\0b", "x" * 5000])
def test_an_output_is_where_a_run_can_have_left_it(place: Place, path: str) -> None:
    run, done = his(place)
    told = refused(place, run, leaving(done, an_output(done, Digest.of(b"model"), path=path)))
    assert told.count("the path `") == 2 and path[:50].replace("\0", "") in told.replace("\0", "")


def test_no_two_outputs_are_in_each_other_s_way(place: Place) -> None:
    run, done = his(place)
    assert done.outcome is not None
    for first, second in (("a", "a"), ("a", "a/b")):
        outputs = tuple(replace(done.outcome.outputs[0], path=path) for path in (first, second))
        odd = replace(done, outcome=replace(done.outcome, outputs=outputs))
        with place.bob.begin(replace(run, run_id=Digest.of(second.encode()).hex[:32])):
            send(place, odd)
            status, told = answer(
                place, wire.SEAL, wire.Seal(run=replace(odd, run_id=Digest.of(second.encode()).hex[:32]))
            )
        assert status == 400 and f"the output `{second}`" in told


def test_what_is_not_held_is_refused_and_a_full_disk_is_another_matter(place: Place) -> None:
    run, done = his(place)
    lacking = leaving(done, an_output(done, Digest.of(b"nobody's"), path="gone"))
    for store, name in ((place.bob, "bob"), (place.admin, "")):
        run = replace(run, run_id=Digest.of(name.encode()).hex[:32])
        with store.begin(run):
            headers = {"Content-Type": "application/msgpack"}
            shown = {"Authorization": f"Bearer {name}"} if name else {}
            body = wire.encoded(wire.Seal(run=replace(lacking, run_id=run.run_id)))
            with calling(place.uri) as caller:
                found = caller.raw("POST", f"/api/{wire.SEAL.path}", body, {**headers, **shown})
        assert found[0] == 400 and b"the store does not hold its `outputs.gone`" in found[1]
    assert told(NoRoom("no space is left")).status == 507


def named(place: Place, way: str) -> Run:
    """A run of Bob's that names her folder and does not have it."""
    if way in ("input", "file", "begun"):
        kind = "file" if way == "file" else "folder"
        run = reading(place.bob, "of bob", replace(READ, name="fo", path="fo", kind=kind))
        done = ended(place.bob.blobs, run)
    else:
        run, done = his(place)
    outcome = done.outcome
    assert outcome is not None
    claimed = Output(path="fo", state="served", kind="folder", digest=FOLDER)
    match way:
        case "served":
            done = leaving(done, claimed)
        case "lost":
            done = leaving(done, replace(claimed, state="written"), FOLDER)
        case "read":
            done = replace(done, outcome=replace(outcome, reads=(replace(READ, path="fo"),)))
        case "pushed":
            done = leaving(done, claimed)
            send(place, done)
            return place.bob.bring(done, seal_document(done), [])
    with place.bob.begin(run):
        if way == "begun":
            refuse_to_tell(place, run)
        sealed = place.bob.seal(done)
    if way == "added":
        added = {"path": "fo", "state": "written", "size": "1", "digest": str(FOLDER)}
        place.bob.amend(run.run_id, "output", added)
    return sealed


def refuse_to_tell(place: Place, run: Run) -> None:
    contents = place.bob.contents
    assert contents.files(FOLDER) == ()
    for inside in (INSIDE, OTHER):
        assert contents.beginning(inside.hex[:10]) == ()
        assert contents.makers(inside, 9).uses == contents.readers(inside, 9).uses == ()
    for what in (f"runs:/{run.run_id}/fo/hers/numbers.csv", str(INSIDE)):
        with pytest.raises(NotFound):
            lineage(place.bob, what, observer=FakeObserver(), caller=Path("/"))
    found = repr(lineage(place.bob, f"runs:/{run.run_id}", observer=FakeObserver(), caller=Path("/")))
    assert str(INSIDE) not in found and "hers" not in found


WAYS = ("input", "file", "read", "served", "lost", "pushed", "added", "begun")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_naming_a_folder_tells_nothing_of_it(place: Place, way: str, first: bool) -> None:
    if not first:
        hers(place)
    run = named(place, way)
    if first:
        hers(place)
    refuse_to_tell(place, run)
    for store in (place.ada, place.reader):
        assert dict(store.contents.files(FOLDER)) == {b"hers/numbers.csv": INSIDE, b"hers/notes.txt": OTHER}
        assert [use.path for use in store.contents.readers(INSIDE, 9).uses] == ["data/hers/numbers.csv"]
        assert store.contents.beginning(INSIDE.hex[:10]) == (INSIDE,)
    assert verify(place.store).problems == ()


def test_whoever_has_a_folder_too_shows_it(place: Place) -> None:
    hers(place)
    run = reading(place.bob, "of bob", READ)
    with place.bob.begin(run):
        place.bob.contents.add_folder(LISTING)
        place.bob.seal(ended(place.bob.blobs, run))
    assert len(place.bob.contents.files(FOLDER)) == 2
    assert [use.run_id for use in place.bob.contents.readers(INSIDE, 9).uses] == [run.run_id]


def test_a_run_that_is_pushed_shows_the_data_that_it_read(place: Place, tmp_path: Path) -> None:
    own = open_store(tmp_path / "own", create=True)
    run = begun(own.blobs)
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment="of bob", inputs=(READ,)))
    with own.begin(run):
        own.contents.add_folder(LISTING)
        own.seal(ended(own.blobs, run))
    pass_on([run.run_id], own, place.bob)
    assert len(place.bob.contents.files(FOLDER)) == 2
    assert [use.run_id for use in place.bob.contents.readers(INSIDE, 9).uses] == [run.run_id]
    assert place.ada.contents.files(FOLDER) == ()
    own.close()


def test_a_run_below_one_that_names_a_folder_tells_no_more(place: Place) -> None:
    hers(place)
    run = named(place, "input")
    tracking = open_tracking(place.store)
    below = tracking.runs.create(
        NewRun(experiment_id=BOB, name="below", user="bob", started=1, parent=run.run_id)
    )
    tracking.close()
    assert place.bob.find(below.run_id).job is not None
    refuse_to_tell(place, place.bob.find(below.run_id))


def test_a_run_that_is_gone_is_forgotten_with_what_it_named(place: Place) -> None:
    run = named(place, "served")
    place.store.hide(run.run_id)
    assert place.store.reception.not_showing(FOLDER) == {run.run_id}
    place.store.housekeeper.forget([run.run_id], who="ada", why="x")
    assert place.store.reception.not_showing(FOLDER) == frozenset()


def test_an_output_that_nobody_could_ask_for_is_not_listed(place: Place) -> None:
    """Records from before may name any; of two of one name the first is listed, and read."""
    run = begun(place.store.blobs)
    done = ended(place.store.blobs, run)
    assert done.outcome is not None
    first, second = (place.store.blobs.add_bytes(content) for content in (b"first", b"second one"))
    odd = ("", "..", "../up", "/etc/x", "a//b", "a\nb", "a\rb")
    named = [*((path, first) for path in (*odd, "x")), ("x", second)]
    outputs = tuple(Output(path=path, state="written", digest=digest, size=1) for path, digest in named)
    with place.store.begin(run):
        place.store.seal(replace(done, outcome=replace(done.outcome, outputs=outputs)))
    with calling(place.uri) as caller:
        found = caller.done("GET", "artifacts/list", run_id=run.run_id)["files"]
        assert found == [{"path": "x", "is_dir": False, "file_size": len(b"first")}]
        root = caller.done("GET", "runs/get", run_id=run.run_id)["run"]["info"]["artifact_uri"]
        path = root.removeprefix("mlflow-artifacts:/")
        status, content = caller.raw("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}/x")
        assert (status, content) == (200, b"first")


def sealed_run(place: Place) -> Run:
    run, done = his(place)
    with place.bob.begin(run):
        return place.bob.seal(done)


def test_an_attestation_says_what_the_record_says(place: Place) -> None:
    """Of one that does not, whoever verifies the store would hear that it cannot be trusted."""
    mine, other = sealed_run(place), sealed_run(place)
    key = PrivateKey.new(KeyType.ED25519)
    said = sealed(PAYLOAD_TYPE, canonical(statement(other)), [key])
    nothing = sealed("text/plain", canonical(statement(mine)), [key])
    for envelope in (b"junk", said, nothing):
        digest = place.bob.blobs.add_bytes(envelope)
        place.bob.blobs.send([digest])
        with pytest.raises(NotTaken, match="the attestation of run"):
            place.bob.amend(mine.run_id, ATTESTED, {"envelope": digest, "key": key.keyid})
    true = sealed(PAYLOAD_TYPE, canonical(statement(mine)), [key])
    digest = place.bob.blobs.add_bytes(true)
    place.bob.blobs.send([digest])
    place.bob.amend(mine.run_id, ATTESTED, {"envelope": digest, "key": key.keyid})
    assert verify(place.store, further=[Attestations([])]).problems == ()
