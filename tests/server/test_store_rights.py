"""Two people at one server that keeps whole runs: what is the other's is not there, by whatever is asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mlproj import wiring
from mlproj.errors import NotAllowed, NotFound, RunNotFound, StoreError
from mlproj.far_ports import LEASE_S
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.run import Run, Status
from mlproj.remote.store.store import FarStore
from mlproj.server.access import Application, Receive, Scope, Send
from mlproj.server.callers import CALLER
from mlproj.services.verify import verify
from mlproj.store.database import transaction
from mlproj.store.folder import FolderStore
from mlproj.store_ports import RunQuery, RunStore
from mlproj.store_wire import BELOW
from tests.remote.store.serving import far, serving
from tests.server.calling import calling
from tests.store.runs import begun, ended

SECRET = b"what only one of them may see"


class Person:
    """Who may do what, by name: the experiments that they have."""

    admin = False

    def __init__(self, name: str, rights: Mapping[str, Level]) -> None:
        self.name = name
        self._rights = rights

    def may(self, level: Level, kind: Kind, thing: str) -> bool:
        return kind is Kind.EXPERIMENT and self._rights.get(thing, Level.NONE).allows(level)

    def may_make(self) -> bool:
        return True

    def note(self, kind: str, thing: str, *, changes: bool) -> None:
        """Nothing is written down of them."""

    def visible(self, kind: Kind) -> frozenset[str] | None:
        readable = (thing for thing, level in self._rights.items() if level.allows(Level.READ))
        return frozenset(readable) if kind is Kind.EXPERIMENT else frozenset()


def telling(people: Mapping[bytes, Person]) -> Callable[[Application], Application]:
    """An entrance that knows people by what they show."""

    def entrance(inner: Application) -> Application:
        async def admit(scope: Scope, receive: Receive, send: Send) -> None:
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if shown in people:
                scope = {**scope, CALLER: people[shown]}
            await inner(scope, receive, send)

        return admit

    return entrance


class Place:
    """A server, the store of the administrator there, and those of two people and a reader."""

    def __init__(self, uri: str, store: FolderStore, cache: Path) -> None:
        self.uri = uri
        self.store = store
        self.admin = far(uri, cache / "admin")
        self.ada, self.bob, self.reader = (self._of(cache, name) for name in ("ada", "bob", "reader"))

    def _of(self, cache: Path, name: str) -> FarStore:
        return far(self.uri, cache / name, {"MLPROJ_TOKEN": name})


ADA, BOB = "1", "2"


@contextlib.contextmanager
def served_to(folder: Path, people: Sequence[Person]) -> Iterator[Place]:
    """A place where those people come in by their names, with an experiment of Ada's and one of Bob's."""
    shown = {f"Bearer {person.name}".encode(): person for person in people}
    with serving(folder / "server", entrance=telling(shown)) as (uri, store):
        with transaction(store.connection):
            for name in ("ada", "bob", "reader"):
                store.connection.execute("INSERT INTO users (name, created) VALUES (?, '')", (name,))
        place = Place(uri, store, folder / "caches")
        for name in ("of ada", "of bob"):
            in_experiment(place.admin, name)
        yield place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    people = [
        Person("ada", {ADA: Level.MANAGE}),
        Person("bob", {BOB: Level.MANAGE}),
        Person("reader", {ADA: Level.READ}),
    ]
    with served_to(tmp_path, people) as place:
        yield place


def in_experiment(store: RunStore, experiment: str, *, name: str = "calm-heron", model: bytes = b"m") -> Run:
    """A sealed run in that experiment."""
    run = begun(store.blobs, name=name)
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment=experiment))
    with store.begin(run):
        return store.seal(ended(store.blobs, run, model=model))


def test_each_sees_their_own_runs_and_nothing_else(place: Place) -> None:
    hers = in_experiment(place.ada, "of ada", name="hers", model=SECRET)
    his = in_experiment(place.bob, "of bob", name="his")
    assert place.ada.find("last").run_id == hers.run_id
    assert place.bob.find("last").run_id == his.run_id
    for reference in (hers.run_id, hers.run_id[:8], "hers"):
        assert place.ada.find(reference).run_id == place.reader.find(reference).run_id == hers.run_id
        with pytest.raises(RunNotFound) as refused:
            place.bob.find(reference)
        with pytest.raises(RunNotFound) as never:
            place.bob.find("f" * len(reference))
        assert refused.value.message == never.value.message.replace("f" * len(reference), reference)
        assert "hers" not in (refused.value.hint or "")
    assert {run.name for run in place.bob.search(RunQuery(limit=None))} == {"his", "calm-heron"}
    assert {row.name for row in place.bob.listing()} == {"his", "calm-heron"}
    assert place.bob.indexes([hers.run_id, his.run_id]).keys() == {his.run_id}
    assert place.bob.contents.runs([hers.run_id]) == ()
    assert place.bob.children(hers.run_id) == ()
    assert list(place.bob.entries(run_id=hers.run_id)) == []
    assert hers.plan is not None and hers.plan.identity is not None
    assert hers.run_id not in place.bob.contents.planned(hers.plan.identity)
    assert place.bob.contents.makers(Digest.of(SECRET), 10).uses == ()
    assert [use.run_id for use in place.ada.contents.makers(Digest.of(SECRET), 10).uses] == [hers.run_id]


def test_nobody_changes_what_they_may_only_read_or_not_even_that(place: Place) -> None:
    hers = in_experiment(place.ada, "of ada", name="hers")
    changes: list[Callable[[RunStore], object]] = [
        lambda store: store.hide(hers.run_id),
        lambda store: store.rename(hers.run_id, "theirs"),
        lambda store: store.amend(hers.run_id, "tag", {"key": "a", "value": "b"}),
    ]
    for change in changes:
        with pytest.raises(RunNotFound, match="there is no run"):
            change(place.bob)
        with pytest.raises(StoreError, match="can only be read"):
            change(place.reader)
    for store in (place.bob, place.reader):
        with pytest.raises(NotAllowed, match=r"the experiment `of ada` .* is another's") as refused:
            in_experiment(store, "of ada")
        assert refused.value.hint is not None and "mlproj users grant" in refused.value.hint
    assert place.store.find(hers.run_id).amendments == ()
    place.ada.rename(hers.run_id, "mine")
    assert place.store.find("mine").run_id == hers.run_id


def test_content_is_read_by_who_may_read_a_run_that_names_it(place: Place) -> None:
    in_experiment(place.ada, "of ada", name="hers", model=SECRET)
    secret = Digest.of(SECRET)
    assert secret in place.admin.blobs
    place.reader.find("hers")
    assert place.reader.blobs.path(secret).read_bytes() == SECRET
    place.bob.find("last")
    assert secret not in place.bob.blobs
    assert place.bob.blobs.sizes([secret]) == {}
    with pytest.raises(StoreError, match="holds no content"):
        place.bob.blobs.path(secret)


def test_nobody_gets_at_content_by_naming_it_in_a_run_of_their_own(place: Place) -> None:
    in_experiment(place.ada, "of ada", name="hers", model=SECRET)
    run = begun(place.bob.blobs)
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment="of bob"))
    done = ended(place.bob.blobs, run)
    assert done.outcome is not None
    listing = folder_manifest([(b"stolen", Digest.of(SECRET))])
    stolen = ((Digest.of(SECRET), "file"), (place.bob.blobs.add_bytes(listing), "folder"))
    with place.bob.begin(run):
        for digest, kind in stolen:
            output = replace(done.outcome.outputs[0], path="stolen", digest=digest, kind=kind)
            claimed = replace(done, outcome=replace(done.outcome, outputs=(output,)))
            with pytest.raises(StoreError, match=r"does not hold its `outputs\.stolen`"):
                place.bob.seal(claimed)
        assert place.bob.seal(done).record is not None


def test_a_run_is_not_moved_into_another_s_experiment_by_its_seal(place: Place) -> None:
    run = begun(place.bob.blobs)
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment="of bob"))
    done = ended(place.bob.blobs, run)
    assert done.job is not None
    with place.bob.begin(run), pytest.raises(StoreError, match="not the one that was begun"):
        place.bob.seal(replace(done, job=replace(done.job, experiment="of ada")))


def test_what_concerns_everybody_is_the_administrator_s(place: Place) -> None:
    acts: list[Callable[[RunStore], object]] = [
        lambda store: list(store.entries()),
        lambda store: store.faults(),
        lambda store: list(store.blobs.digests()),
        lambda store: list(store.contents.folders()),
        lambda store: store.housekeeper.garbage(),
        lambda store: store.housekeeper.forget(["a"], who="bob", why="x"),
        lambda store: store.housekeeper.size(),
    ]
    for act in acts:
        with pytest.raises(StoreError, match="administrators"):
            act(place.bob)
    assert len(list(place.admin.entries())) == 2


def test_a_run_is_verified_by_whoever_may_read_it(place: Place) -> None:
    """By its own entries: the chain that they are in shows what others did."""
    his = in_experiment(place.bob, "of bob", name="his", model=SECRET)
    hers = in_experiment(place.ada, "of ada", name="hers")
    place.ada.amend(hers.run_id, "tag", {"key": "reviewed", "value": "yes"})
    wiring.tracking_of(place.store).experiments.rename(ADA, "called otherwise")
    found = verify(place.reader, place.reader.find("hers"))
    assert (found.sound, found.chain, found.runs, found.entries) == (True, False, 1, 2), found.problems
    assert found.blobs == verify(place.admin, hers).blobs > 5
    assert verify(place.admin, hers).chain
    for reader in (place.ada, place.bob, place.reader):
        with pytest.raises(NotAllowed, match="administrators"):
            verify(reader)
    # Of another's run that is asked for all the same, nothing is told.
    assert verify(place.ada, his).entries == 0


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("UPDATE entries SET payload = CAST(payload || ' ' AS BLOB) WHERE run_id = ?", "record"),
        ("UPDATE entries SET time = '2020-01-01T00:00:00.000Z' WHERE run_id = ?", "link"),
        ("UPDATE runs SET status = 'FAILED' WHERE run_id = ?", "index.status"),
        ("UPDATE runs SET project = 'another' WHERE run_id = ?", "index.project"),
        ("DELETE FROM entries WHERE run_id = ?", "record"),
    ],
)
def test_whoever_may_read_a_run_sees_that_it_was_altered(place: Place, change: str, part: str) -> None:
    in_experiment(place.ada, "of ada", name="hers")
    hers = place.reader.find("hers")
    with transaction(place.store.connection):
        place.store.connection.execute(change, (hers.run_id,))
    assert part in {problem.part for problem in verify(place.reader, hers).problems}


def test_who_may_not_begin_in_an_experiment_is_told_what_to_do(place: Place) -> None:
    for name in ("Default", "of bob"):
        with pytest.raises(NotAllowed) as refused:
            in_experiment(place.ada, name)
        assert "--experiment-name" in (refused.value.hint or "")


def test_whoever_may_read_a_run_sees_that_a_content_was_altered(place: Place) -> None:
    in_experiment(place.ada, "of ada", name="hers", model=SECRET)
    hers = place.reader.find("hers")
    path = place.store.blobs.path(Digest.of(SECRET))
    path.chmod(0o600)
    path.write_bytes(b"what only one of them may sea")
    (problem,) = verify(place.reader, hers).problems
    assert problem.part.startswith("outputs.")


def test_every_route_of_the_description_answers_of_a_stranger_s_run_as_of_none(place: Place) -> None:
    """Filled in with every name of another's that there is, they tell nothing of it."""
    hers = in_experiment(place.ada, "of ada", name="hers", model=SECRET)
    assert hers.record is not None
    names = (hers.run_id, "hers", str(Digest.of(SECRET)), str(hers.record), "of ada")
    with calling(place.uri) as caller:
        _, document = caller("GET", "/openapi.json")
        schemas = document["components"]["schemas"]
        paths = [path for path in document["paths"] if path.startswith(f"/api/{BELOW}/")]
        assert len(paths) > 35
        for path in paths:
            method = next(iter(document["paths"][path]))
            content = document["paths"][path][method]["requestBody"]["content"]
            schema = content.get("application/json", {}).get("schema", {})
            fields = schemas.get(schema.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
            for name in names:
                body = json.dumps({field: filled(kind, name) for field, kind in fields.items()})
                headers = {"Authorization": "Bearer bob", "Content-Type": "application/json"}
                _, answer = caller.raw(method.upper(), path, body, headers)
                # What was asked for may be repeated, and nothing else of hers.
                others = [other for other in names if other != name and other not in body]
                assert not any(other.encode() in answer for other in others), (path, body, answer)
                assert SECRET not in answer


def filled(kind: Mapping[str, Any], name: str) -> Any:
    if kind.get("type") == "array":
        return [name]
    return {"string": name, "integer": 10, "number": 0, "boolean": True}.get(kind.get("type", ""))


def test_what_was_sent_lately_need_not_be_sent_again(place: Place) -> None:
    digest = place.bob.blobs.add_bytes(b"sent once")
    place.bob.blobs.send([digest])
    assert place.bob.blobs.missing([digest]) == ()
    other = place.ada.blobs.here.add_bytes(b"sent once")
    assert place.ada.blobs.missing([other]) == (other,), "that others sent it is nobody's business"


def test_a_lease_lasts_as_long_as_somebody_says_so(place: Place) -> None:
    store, token = place.store, "a" * 32
    run = in_experiment(place.admin, "of ada")
    assert run.job is not None
    assert store.reception.keep(token, run.job.source)
    store.hide(run.run_id)
    store.housekeeper.forget([run.run_id], who="ada", why="x")
    kept = store.housekeeper.garbage(grace_s=-1)
    assert run.job.source.snapshot not in kept.blobs
    store.reception.let_go(token)
    assert LEASE_S > 0
    free = store.housekeeper.garbage(grace_s=-1)
    assert run.job.source.snapshot not in free.blobs, "two other runs have the same source"
    assert Digest.of(b"training\nloss 1\n") not in free.blobs


def test_the_script_of_a_run_gets_at_that_run_alone_and_only_while_it_goes_on(place: Place) -> None:
    other = in_experiment(place.ada, "of ada", name="other")
    run = begun(place.ada.blobs, name="mine")
    assert run.job is not None
    run = replace(run, job=replace(run.job, experiment="of ada"))
    with place.ada.begin(run):
        uri = place.ada.script_uri(run.run_id)
        assert uri is not None and uri.startswith(f"{place.uri}/t/mlproj_")
        with calling(uri) as script:
            assert (
                script("POST", "runs/log-metric", run_id=run.run_id, key="a", value=1, timestamp=1)[0] == 200
            )
            assert script.refused("POST", "runs/set-tag", run_id=other.run_id, key="a", value="b")[0] == 403
            status, _ = script.raw("POST", f"/api/{BELOW}/runs/find", b'{"reference": "last"}')
            assert status == 403
            done = place.ada.seal(ended(place.ada.blobs, run))
            assert done.status is Status.FINISHED
            status, _ = script.raw("GET", "/api/2.0/mlflow/runs/get?run_id=" + run.run_id)
            assert status == 401
    assert [metric.key for metric in done.outcome.logged.metrics] == ["a"]  # type: ignore[union-attr]
    with pytest.raises(NotFound):
        place.bob.find("mine")
