"""At a server with users, pages say of what is another's the same as of what never was."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace

from mlproj import server_wiring
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.provenance import InputState
from mlproj.model.record import seal_document
from mlproj.model.tracking import PARENT, Batch, Metric, NewRun
from mlproj.server.app import create_app
from mlproj.server.pages.adding import PAGES
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.server.calling import Caller, calling, served
from tests.server.conftest import files_of
from tests.server.pages.scenery import Scene
from tests.store.runs import begun, ended

PASSWORD = "a long enough password"
SECRET = b"zirconium"
"""What stands in everything of the other's."""


def as_user(name: str) -> dict[str, str]:
    told = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {told}", "Accept": "text/html"}


@pytest.fixture
def theirs(store: FolderStore, tracking: Tracking, scenery: Scene) -> dict[str, str]:
    """What is the other's, by the names that pages have for it in their paths."""
    word = SECRET.decode()
    experiment_id = tracking.experiments.create(word).experiment_id
    new = NewRun(experiment_id=experiment_id, name=word, user=word, started=1_764_000_000_000)
    run_id = tracking.runs.create(new).run_id
    point = Metric(key=word, value=1.0, timestamp=1)
    tracking.runs.log(run_id, Batch(params=((word, word),), metrics=(point,)))
    files_of(store).write(f"runs/{run_id}/artifacts/{word}.txt", iter([SECRET]))
    model_id = tracking.models.create(experiment_id, name=word, source_run_id=run_id).model_id
    files_of(store).write(f"models/{model_id}/artifacts/{word}.txt", iter([SECRET]))
    trace_id = f"tr-{word}"
    info = {
        "trace_id": trace_id,
        "trace_location": {"mlflow_experiment": {"experiment_id": experiment_id}},
        "request_preview": word,
        "trace_metadata": {"mlflow.sourceRun": run_id},
    }
    span = {"span_id": "1", "name": word}
    tracking.traces.add(trace_id, experiment_id, msgspec.json.encode(info), msgspec.json.encode([span]))
    below = NewRun(
        experiment_id=experiment_id, name=word, user=word, started=1, tags=((PARENT, scenery.logged[0]),)
    )
    tracking.runs.create(below)
    tracking.registry.create(word, description=word)
    tracking.registry.create_version(word, source=f"runs:/{run_id}/{word}", run_id=run_id)
    recorded = begun(store.blobs, name=word)
    with store.begin(recorded):
        tracking.runs.move(recorded.run_id, experiment_id)
        store.seal(ended(store.blobs, recorded, stdout=SECRET + b" is what it said\n"))
    return {
        "experiment_id": experiment_id,
        "run_id": run_id,
        "recorded": recorded.run_id,
        "model_id": model_id,
        "trace_id": trace_id,
        "name": word,
        "version": "1",
        "path": f"{word}.txt",
        "stream": "stdout",
    }


NOWHERE = {
    "experiment_id": "999999",
    "run_id": "0" * 32,
    "recorded": "1" * 32,
    "model_id": "m-" + "0" * 32,
    "trace_id": "tr-beryllium",
    "name": "beryllium",
    "version": "1",
    "path": "beryllium.txt",
    "stream": "stdout",
}


@pytest.fixture
def visitor(
    store: FolderStore, tracking: Tracking, scenery: Scene, theirs: dict[str, str]
) -> Iterator[Caller]:
    users = server_wiring.users_of(store)
    users.accounts.add("ada", password=PASSWORD)
    users.rights.grant("ada", Kind.EXPERIMENT, scenery.experiment_id, Level.READ)
    users.rights.grant("ada", Kind.EXPERIMENT, "0", Level.READ)
    users.rights.grant("ada", Kind.MODEL, "elastic", Level.READ)
    app = create_app(tracking, files_of(store), proxied=True, store=store)
    server_wiring.add_pages(app, os.environ)
    entrance = server_wiring.entrance_for(store, app)
    with served(entrance) as uri, calling(uri) as caller:
        yield caller


def seen(visitor: Caller, path: str) -> tuple[int, bytes]:
    return visitor.raw("GET", path, headers=as_user("ada"))


def test_who_says_nothing_is_asked(visitor: Caller) -> None:
    status, _, headers = visitor.whole("GET", "/", headers={"Accept": "text/html"})
    assert status == 401 and headers["www-authenticate"].startswith("Basic")


def test_lists_leave_out_what_is_not_theirs(visitor: Caller, scenery: Scene) -> None:
    for path in (
        "/",
        "/runs",
        "/runs?limit=200",
        "/models",
        f"/experiments/{scenery.experiment_id}",
        f"/experiments/{scenery.experiment_id}/traces",
        f"/experiments/{scenery.experiment_id}/models",
        f"/runs/{scenery.logged[0]}",
        "/?name=z",
    ):
        status, content = seen(visitor, path)
        assert status == 200
        assert SECRET not in content.replace(b'value="z"', b"")


def addresses(ids: dict[str, str]) -> list[str]:
    """Every page that shows something, of these things."""
    paths = [page.path for page in PAGES if page.method == "GET" and "{" in page.path]
    found = []
    for run_id in (ids["run_id"], ids["recorded"]):
        values = {**ids, "run_id": run_id}
        for path in paths:
            filled = re.sub(r"{(\w+)(?::\w+)?}", r"{\1}", path).format_map(values)
            found.append(filled)
        found += [
            f"/runs/{run_id[:8]}",
            f"/curves?run={run_id}&key=loss",
            f"/compare?run={run_id}&run={ids['recorded']}&run={ids['run_id']}",
            f"/lineage?of=runs:/{run_id}",
        ]
    found += [f"/lineage?of=models:/{name}" for name in (f"{ids['name']}/1", ids["model_id"])]
    return found


def told(content: bytes, ids: dict[str, str]) -> bytes:
    """An answer without what differs by the question."""
    for name, value in sorted(ids.items(), key=lambda item: -len(item[1])):
        if len(value) > 1:
            content = (
                content.replace(value.encode(), name.encode())
                .replace(value[:8].encode(), name.encode())
                .replace(quote(value).encode(), name.encode())
            )
    return re.sub(rb"\bid=\w+", b"id=", content)


def test_what_is_anothers_answers_as_what_never_was(visitor: Caller, theirs: dict[str, str]) -> None:
    for their, nowhere in zip(addresses(theirs), addresses(NOWHERE), strict=True):
        of_theirs, of_nothing = seen(visitor, their), seen(visitor, nowhere)
        assert of_theirs[0] == of_nothing[0] == 404, their
        assert told(of_theirs[1], theirs) == told(of_nothing[1], NOWHERE), their


def test_lineage_of_shared_data_leaves_their_run_out(
    visitor: Caller, scenery: Scene, theirs: dict[str, str]
) -> None:
    _, content = seen(visitor, f"/lineage?of=runs:/{scenery.recorded[0]}&depth=5")
    assert b"calm-heron-0" in content
    assert SECRET not in content and theirs["recorded"].encode() not in content


def test_lineage_tells_nothing_of_a_folder_that_a_run_merely_names(
    visitor: Caller, store: FolderStore, tracking: Tracking, theirs: dict[str, str]
) -> None:
    word = SECRET.decode()
    listing = folder_manifest([(f"{word}.txt".encode(), Digest.of(SECRET))])
    folder = Digest.of(listing)
    run = begun(store.blobs, name="names-it")
    assert run.job is not None
    read = InputState(name="fo", path="fo", kind="folder", digest=folder, size=1)
    run = replace(run, job=replace(run.job, inputs=(read,)))
    done = ended(store.blobs, run)
    store.reception.bring(done, seal_document(done), (), ())
    store.contents.add_folder(listing)
    of_folder, of_file = f"/lineage?of={folder}", f"/lineage?of=runs:/{run.run_id}"
    status, content = seen(visitor, of_folder)
    assert status == 200 and b"names-it" in content
    assert seen(visitor, f"/lineage?of={Digest.of(SECRET)}")[0] == 200
    store.reception.note_unshown(run.run_id, (folder,))
    for path in (of_folder, of_file):
        status, content = seen(visitor, path)
        assert status == 200 and b"names-it" in content
        assert SECRET not in content and Digest.of(SECRET).encode() not in content
    for path in (f"/lineage?of={Digest.of(SECRET)}", f"{of_file}/fo/{word}.txt"):
        assert seen(visitor, path)[0] == 404


def test_who_may_read_finds_no_form_and_changes_nothing(
    visitor: Caller, scenery: Scene, tracking: Tracking
) -> None:
    for path in (f"/runs/{scenery.logged[0]}", f"/experiments/{scenery.experiment_id}", "/models/elastic"):
        status, content = seen(visitor, path)
        assert status == 200 and b"/change/" not in content
    _, content, headers = visitor.whole("GET", "/", headers=as_user("ada"))
    token = re.search(rb'name="token" value="([^"]+)"', content)
    assert token is not None
    form = f"token={token[1].decode()}&back=/&run_id={scenery.logged[0]}"
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = visitor.raw("POST", "/change/runs/delete", form, {**as_user("ada"), **cookie, **kind})
    assert status == 403
    assert tracking.runs.get(scenery.logged[0]).lifecycle.value == "active"
