"""What is done is written down, and what one caller takes of a server has a bound."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj.errors import StoreError
from mlproj.model.access import Level
from mlproj.model.digest import folder_manifest
from mlproj.server.auth.trail import REFUSALS
from tests.remote.store.serving import far
from tests.server.auth.test_entrance import SEARCH, run, server
from tests.server.calling import ARTIFACTS, wait_until
from tests.server.guarded import PASSWORDS, Guarded, basic, bearer
from tests.store.runs import begun, ended

__all__ = ["run", "server"]


def test_the_audit_is_not_filled_by_whoever_is_refused(server: Guarded) -> None:
    stranger = server.by({})
    for number in range(300):
        stranger.raw("GET", f"/{number}/{'x' * 1000}")
    wait_until(lambda: sum(deed.times for deed in server.users.audit.all(limit=1000)) >= 300)
    deeds = server.users.audit.all(limit=1000)
    assert sum(deed.times for deed in deeds) == 300
    assert {deed.status for deed in deeds} == {401, 0}
    seconds = len({deed.time[:19] for deed in deeds}) + 1
    assert len(deeds) <= (REFUSALS + 1) * seconds


def test_what_is_done_and_what_is_refused_is_written_down(server: Guarded, run: str) -> None:
    ada, bob = server.caller("ada"), server.caller("bob")
    bob.refused("GET", "runs/get", run_id=run)
    server.by(basic("eve", "guessing")).refused("GET", SEARCH)
    for number in range(20):
        ada.done("POST", "runs/log-metric", run_id=run, key="m", value=number, timestamp=1)
    ada.done("POST", "runs/delete", run_id=run)
    # What removes something is there before the answer.
    newest = server.users.audit.all(limit=1)[0]
    assert (newest.user, newest.kind, newest.thing, newest.status) == ("ada", "run", run, 200)
    assert newest.action == "POST /api/2.0/mlflow/runs/delete" and newest.address == "127.0.0.1"
    deeds = server.users.audit.all()
    logged = [deed for deed in deeds if deed.action.endswith("log-metric")]
    assert sum(deed.times for deed in logged) == 20
    assert {(deed.user, deed.status) for deed in deeds} >= {("bob", 404), ("eve", 401)}
    assert not [deed for deed in deeds if deed.action.startswith("GET") and deed.status == 200]
    granted = {"experiment_id": server.store.experiment_of(run), "username": "bob", "permission": "READ"}
    ada.done("POST", "experiments/permissions/create", **granted)
    assert server.users.audit.all(limit=1)[0].action.endswith("experiments/permissions/create")
    ada.done("POST", "runs/restore", run_id=run)
    wait_until(lambda: bool(server.users.audit.all(limit=1)[0].action.endswith("restore")))


def test_what_is_done_to_whole_runs_is_written_down_too(server: Guarded, tmp_path: Path) -> None:
    token = server.users.tokens.create("root", label="all")[1]
    store = far(server.uri, tmp_path / "cache", {"MLPROJ_TOKEN": token})
    run = begun(store.blobs)
    with store.begin(run):
        store.seal(ended(store.blobs, run))
    store.hide(run.run_id)
    # What removes something is there before the answer.
    newest = server.users.audit.all(limit=1)[0]
    assert (newest.user, newest.kind, newest.thing) == ("root", "run", run.run_id)
    assert newest.action == "POST /api/2.0/mlproj/store/runs/hide"
    store.housekeeper.forget([run.run_id], who="somebody else", why="x")
    newest = server.users.audit.all(limit=1)[0]
    assert (newest.user, newest.thing, newest.status) == ("root", run.run_id, 200)
    assert newest.action == "POST /api/2.0/mlproj/store/garbage/forget"
    store.housekeeper.remove(store.housekeeper.garbage(grace_s=0))
    assert server.users.audit.all(limit=1)[0].action.endswith("garbage/remove")
    done = {deed.action.rpartition("store/")[2] for deed in server.users.audit.all()}
    assert done >= {"runs/begin", "runs/seal", "blobs/send"}


def test_a_token_to_read_with_sends_nothing_that_would_be_kept(server: Guarded, tmp_path: Path) -> None:
    token = server.users.tokens.create("ada", label="r", level=Level.READ)[1]
    store = far(server.uri, tmp_path / "cache", {"MLPROJ_TOKEN": token})
    digest = store.blobs.here.add_bytes(b"to fill the disk")
    with pytest.raises(StoreError, match="lets you read"):
        store.blobs.send([digest])
    with pytest.raises(StoreError, match="lets you read"):
        store.contents.add_folder(folder_manifest([(b"a", digest)]))
    lease = {"lease": "0" * 32}
    assert server.by(bearer(token))("POST", "/api/2.0/mlproj/store/runs/alive", **lease)[0] == 403
    assert digest not in server.store.blobs


def test_what_somebody_sent_is_not_the_next_ones_of_that_name(server: Guarded, tmp_path: Path) -> None:
    shown = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": PASSWORDS["ada"]}
    first = far(server.uri, tmp_path / "first", shown)
    digest = first.blobs.here.add_bytes(b"sent by the first one")
    first.blobs.send([digest])
    asked = {"digests": [digest]}
    ask = partial(server.caller("ada"), "POST", "/api/2.0/mlproj/store/blobs/missing")
    assert ask(**asked) == (200, [])
    server.users.accounts.remove("ada")
    time.sleep(0.01)  # moments are of milliseconds
    server.users.accounts.add("ada", password=PASSWORDS["ada"])
    assert ask(**asked) == (200, [digest])


def test_uploads_that_do_not_end_leave_room_for_those_of_others(server: Guarded, run: str) -> None:
    bob = server.caller("bob")
    experiment = bob.done("POST", "experiments/create", name="of bob")["experiment_id"]
    his = bob.done("POST", "runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    found = server.caller("ada").done("GET", "runs/get", run_id=run)["run"]["info"]
    hers = f"{ARTIFACTS}/{found['experiment_id']}/{run}/artifacts"
    told = basic("ada", PASSWORDS["ada"])["Authorization"]
    with contextlib.ExitStack() as held:
        for number in range(70):
            uploading = socket.create_connection(("127.0.0.1", urlsplit(server.uri).port or 0), timeout=60)
            held.enter_context(uploading)
            head = f"PUT {hers}/{number} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {told}\r\n"
            uploading.sendall(f"{head}Content-Length: 1000000\r\n\r\nx".encode())
        # What is asked after them is answered after they have begun.
        assert server.caller("ada").raw("GET", SEARCH)[0] == 200
        place = f"{ARTIFACTS}/{experiment}/{his}/artifacts/file"
        assert bob.raw("PUT", place, b"his") == (200, b"{}")


def test_what_a_run_tells_of_its_models_has_a_bound(server: Guarded, run: str) -> None:
    model = {"artifact_path": "a" * 600_000, "flavors": {}, "utc_time_created": "", "run_id": run}
    told, ada = {"run_id": run, "model_json": json.dumps(model)}, server.caller("ada")
    ada.done("POST", "runs/log-model", **told)
    assert ada.refused("POST", "runs/log-model", **told) == (400, "INVALID_PARAMETER_VALUE")


def test_numbers_and_conditions_have_bounds(server: Guarded) -> None:
    ada, below = server.caller("ada"), "/api/2.0/mlproj/store"
    condition = {"field": "tags.a", "operator": "=", "value": "b"}
    for path, fields in (
        ("contents/like", {"project": "a", "entry_point": "b", "most": 10**19}),
        ("runs/search", {"query": {"limit": 10**30}}),
        ("runs/search", {"query": {"conditions": [condition] * 3000}}),
    ):
        assert ada.refused("POST", f"{below}/{path}", **fields)[0] == 400, path
    # How long the chain is counts what others do.
    assert ada("POST", f"{below}/chain/head")[0] == 403
