"""Who is let in by what, and what they may."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlproj import server_wiring
from mlproj.model.access import Kind, Level
from mlproj.server.addresses import network_of
from mlproj.server.app import create_app
from mlproj.server.auth.slowing import Slowing
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.opening import open_tracking
from tests.server.calling import API, calling, served
from tests.server.conftest import files_of
from tests.server.guarded import Guarded, basic, bearer, guarded
from tests.store.runs import begun

SEARCH = f"{API}/experiments/search?max_results=10"
UNKNOWN = (401, "UNAUTHENTICATED")
DENIED = (403, "PERMISSION_DENIED")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ada", "the one of bob"),
        basic("nobody", "the one of ada"),
        basic("ada", ""),
        {"Authorization": "Basic not base64"},
        {"Authorization": "Basic"},
        {"Authorization": "Digest username=ada"},
        bearer("mlproj_0123456789abcdef_0123456789abcdefghijklmnop"),
        bearer("the one of ada"),
        basic("\x00", "\x00"),
        {"Authorization": "Basic " + "A" * 5000},
    ],
)
def test_whoever_shows_nothing_good_is_asked(server: Guarded, headers: dict[str, str]) -> None:
    stranger = server.by(headers)
    status, content, told = stranger.whole("GET", SEARCH)
    assert status == 401 and told["www-authenticate"].startswith("Basic ")
    assert json.loads(content)["error_code"] == "UNAUTHENTICATED"
    for path in ("/", "/openapi.json", "/metrics", f"{API}/nothing", "/healthy", "/health/", "/v1/traces"):
        assert stranger.raw("GET", path)[0] in (401, 429)
    assert stranger.raw("GET", "/health") == (200, b"OK")


def test_a_password_lets_in_and_a_new_one_ends_the_old(server: Guarded) -> None:
    ada = server.caller("ada")
    for _ in range(3):
        assert ada.raw("GET", SEARCH)[0] == 200
    server.users.accounts.change("ada", password="another one")
    assert ada.refused("GET", SEARCH) == UNKNOWN
    assert server.by(basic("ada", "another one")).raw("GET", SEARCH)[0] == 200


def test_whoever_is_disabled_or_removed_is_out_at_once(server: Guarded) -> None:
    token = server.users.tokens.create("bob", label="ci")[1]
    ways = (server.caller("bob"), server.by(bearer(token)))
    assert {way.raw("GET", SEARCH)[0] for way in ways} == {200}
    server.users.accounts.change("bob", disabled=True)
    assert {way.raw("GET", SEARCH)[0] for way in ways} == {401}
    server.users.accounts.change("bob", disabled=False)
    assert {way.raw("GET", SEARCH)[0] for way in ways} == {200}
    server.users.accounts.remove("bob")
    assert {way.raw("GET", SEARCH)[0] for way in ways} == {401}


def test_a_token_lets_in_in_either_place_until_it_is_revoked(server: Guarded) -> None:
    made, token = server.users.tokens.create("ada", label="ci")
    assert token.startswith(f"mlproj_{made.id}_")
    ways = (server.by(bearer(token)), server.by(basic("ada", token)), server.by(basic("whoever", token)))
    assert {way.done("GET", "users/current")["user"]["username"] for way in ways} == {"ada"}
    assert server.users.tokens.all("ada")[0].used
    assert (
        server.by(bearer(token[:-1] + ("a" if token[-1] != "a" else "b"))).refused("GET", SEARCH) == UNKNOWN
    )
    server.users.tokens.revoke(made.id)
    assert {way.raw("GET", SEARCH)[0] for way in ways} == {401}


def test_a_token_lets_in_until_it_expires(server: Guarded) -> None:
    past = server.users.tokens.create("ada", label="past", expires="2020-01-01T00:00:00.000Z")[1]
    future = server.users.tokens.create("ada", label="future", expires="2120-01-01T00:00:00.000Z")[1]
    assert server.by(bearer(past)).refused("GET", SEARCH) == UNKNOWN
    assert server.by(bearer(future)).raw("GET", SEARCH)[0] == 200


@pytest.mark.parametrize("user", ["root", "ada"])
def test_a_token_lets_its_user_do_no_more_than_it_says(server: Guarded, user: str) -> None:
    experiment = server.caller(user).done("POST", "experiments/create", name="e")["experiment_id"]
    run = server.caller(user).done("POST", "runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    reader = server.by(bearer(server.users.tokens.create(user, label="r", level=Level.READ)[1]))
    writer = server.by(bearer(server.users.tokens.create(user, label="w", level=Level.EDIT)[1]))
    for caller in (reader, writer):
        assert caller.done("GET", "runs/get", run_id=run)
        assert caller.refused("POST", "experiments/delete", experiment_id=experiment) == DENIED
        assert caller.refused("POST", "users/create", username="x", password="12345678") == DENIED
        assert caller.refused("GET", "users/list") == DENIED
        granted = {"experiment_id": experiment, "username": "bob", "permission": "READ"}
        assert caller.refused("POST", "experiments/permissions/create", **granted) == DENIED
    assert reader.refused("POST", "runs/set-tag", run_id=run, key="k", value="v") == DENIED
    assert reader.refused("POST", "experiments/create", name="mine") == DENIED
    assert reader.refused("POST", "registered-models/create", name="mine") == DENIED
    writer.done("POST", "runs/set-tag", run_id=run, key="k", value="v")
    writer.done("POST", "experiments/create", name="mine")


def test_guessing_is_slowed_for_the_one_who_guesses_alone(server: Guarded) -> None:
    guesser, codes = server.by(basic("ada", "a guess")), list[int]()
    for _ in range(8):
        codes.append(guesser.raw("GET", SEARCH)[0])
    assert codes == [401] * 5 + [429] * 3
    # Not even the right one is looked at meanwhile; others are.
    assert server.caller("ada").raw("GET", SEARCH)[0] == 429
    assert server.caller("bob").raw("GET", SEARCH)[0] == 200


def test_a_token_is_good_whoever_guesses_beside_it(server: Guarded) -> None:
    token = server.users.tokens.create("ada", label="ci")[1]
    codes = [server.by(basic(f"user{number}", "a guess")).raw("GET", SEARCH)[0] for number in range(55)]
    assert codes == [401] * 50 + [429] * 5
    assert server.caller("ada").raw("GET", SEARCH)[0] == 429
    assert server.by(bearer(token)).raw("GET", SEARCH)[0] == 200
    wrong = f"{token[:-4]}abcd"
    assert server.by(bearer(wrong)).raw("GET", SEARCH)[0] == 429


def test_passwords_that_are_looked_at_keep_nobody_else_from_work(server: Guarded) -> None:
    """However many come in at once: whoever has a token is answered while nearly all of them wait."""
    token = server.users.tokens.create("ada", label="ci")[1]
    working = server.by(bearer(token))
    assert working.raw("GET", SEARCH)[0] == 200
    where = ("127.0.0.1", urlsplit(server.uri).port or 0)
    with contextlib.ExitStack() as held:
        waiting = [held.enter_context(socket.create_connection(where, timeout=60)) for _ in range(60)]
        for number, connection in enumerate(waiting):
            told = basic(f"user{number}", "a guess")["Authorization"]
            asked = f"GET {SEARCH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {told}\r\n\r\n"
            connection.sendall(asked.encode())
        select.select(waiting, [], [], 60)
        assert working.raw("GET", SEARCH)[0] == 200
        answered, _, _ = select.select(waiting, [], [], 0)
        assert len(answered) < 40
        assert {connection.recv(12)[-3:] for connection in waiting} == {b"401", b"429"}


def test_one_who_has_many_addresses_is_one() -> None:
    slowing = Slowing(clock=lambda: 0.0)
    for number in range(5):
        slowing.failed("ada", f"2001:db8:1:2::{number:x}")
    assert slowing.wait("ada", "2001:db8:1:2:ffff::1") > 0
    assert slowing.wait("ada", "2001:db8:1:3::1") == slowing.wait("ada", "192.0.2.1") == 0
    slowing.succeeded("ada", "2001:db8:1:2:abcd::")
    assert slowing.wait("ada", "2001:db8:1:2::1") == 0
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64" and network_of("a:b") == "a:b"


def test_a_password_is_kept_as_nothing_that_lets_in(server: Guarded) -> None:
    made, token = server.users.tokens.create("ada", label="ci")
    secret = token.partition(f"{made.id}_")[2]
    server.by(bearer(token)).raw("GET", SEARCH)
    server.caller("ada").raw("GET", SEARCH)
    kept = b"".join(file.read_bytes() for file in server.store.root.rglob("store.db*"))
    assert b"the one of ada" not in kept and token.encode() not in kept and b"$argon2id$" in kept
    assert len(secret) > 40 and secret.encode() not in kept


@pytest.fixture
def run(server: Guarded) -> str:
    """A run of ada's, whose script has a token."""
    experiment = server.caller("ada").done("POST", "experiments/create", name="ada's")["experiment_id"]
    made = server.caller("ada").done("POST", "runs/create", experiment_id=experiment)
    return str(made["run"]["info"]["run_id"])


def test_the_token_of_a_run_writes_that_run_and_what_its_script_begins(server: Guarded) -> None:
    ada, started = server.caller("ada"), begun(server.store.blobs)
    with server.store.begin(started):
        run, own = started.run_id, server.store.experiment_of(started.run_id)
        server.users.rights.grant("ada", Kind.EXPERIMENT, own, Level.MANAGE)
        other = ada.done("POST", "runs/create", experiment_id=own)["run"]["info"]["run_id"]
        token = server.users.run_token(run, "ada")
        for script in (server.by({}, f"/t/{token}"), server.by(bearer(token))):
            script.done("POST", "runs/set-tag", run_id=run, key="k", value=f"see {token}")
            child = script.done("POST", "runs/create", experiment_id=own)["run"]["info"]["run_id"]
            script.done("POST", "runs/set-tag", run_id=child, key="k", value="v")
            assert script.refused("POST", "runs/set-tag", run_id=other, key="k", value="v") == DENIED
            assert script.done("GET", "runs/get", run_id=other)
            assert script.refused("POST", "experiments/delete", experiment_id=own) == DENIED
            assert script.refused("GET", "users/list") == DENIED
        kept = b"".join(file.read_bytes() for file in server.store.root.rglob("store.db*"))
        assert token.encode() not in kept
        server.users.end_run_tokens(run)
        assert server.by({}, f"/t/{token}").refused("GET", SEARCH) == UNKNOWN


def test_the_token_of_a_run_sees_no_more_than_its_user(server: Guarded, run: str) -> None:
    script = server.by({}, f"/t/{server.users.run_token(run, 'ada')}")
    theirs = server.caller("bob").done("POST", "experiments/create", name="bob's")["experiment_id"]
    assert script.refused("GET", "experiments/get", experiment_id=theirs) == MISSING
    server.users.rights.withdraw("ada", Kind.EXPERIMENT, server.store.experiment_of(run))
    assert script.refused("POST", "runs/set-tag", run_id=run, key="k", value="v") == MISSING


def test_the_token_of_a_run_ends_with_it(server: Guarded, run: str) -> None:
    script = server.by({}, f"/t/{server.users.run_token(run, 'ada')}")
    script.done("POST", "runs/update", run_id=run, status="FINISHED", end_time=1)
    assert script.refused("GET", SEARCH) == UNKNOWN


def test_other_tokens_are_good_for_nothing_in_a_path(server: Guarded) -> None:
    token = server.users.tokens.create("ada", label="ci")[1]
    assert server.by({}, f"/t/{token}").refused("GET", SEARCH) == UNKNOWN
    assert server.by({}, "/t/").refused("GET", SEARCH) == UNKNOWN


def test_a_server_without_users_takes_the_tokens_of_runs(store: FolderStore) -> None:
    app = create_app(open_tracking(store), files_of(store), proxied=True, store=store)
    entrance = server_wiring.open_entrance_for(store, app)
    run, other = begun(store.blobs), begun(store.blobs)
    users = server_wiring.users_of(store)
    with store.begin(run), store.begin(other), served(entrance) as uri:
        token = users.run_token(run.run_id, None)
        with calling(uri) as anyone, calling(f"{uri}/t/{token}") as script:
            script.done("POST", "runs/set-tag", run_id=run.run_id, key="k", value="v")
            assert script.refused("POST", "runs/set-tag", run_id=other.run_id, key="k", value="v") == DENIED
            anyone.done("POST", "runs/set-tag", run_id=other.run_id, key="k", value="v")
            assert anyone.refused("GET", "users/list") == (404, "ENDPOINT_NOT_FOUND")
        with calling(f"{uri}/t/{token[:-2]}") as stranger:
            assert stranger.refused("GET", SEARCH) == UNKNOWN
    entrance.close()


def test_parts_of_an_upload_and_downloads_have_addresses_that_let_in(server: Guarded, run: str) -> None:
    ada, place = server.caller("ada"), f"7/{run}/artifacts/some file%.bin"
    proxy = "/api/2.0/mlflow-artifacts"
    root = place.rpartition("/")[0]
    made = ada.done("POST", f"{proxy}/mpu/create/{root}", path="some file%.bin", num_parts=1)
    (part,) = made["credentials"]
    link = part["url"].removeprefix(server.uri)
    anyone = server.by({})
    status, _, told = anyone.whole("PUT", link, b"content")
    assert status == 200
    parts = [{"part_number": 1, "etag": told["etag"]}]
    upload = made["upload_id"]
    ada.done("POST", f"{proxy}/mpu/complete/{root}", path="some file%.bin", upload_id=upload, parts=parts)
    got = ada.done("GET", f"{proxy}/presigned/{root}/some%20file%25.bin")
    fetch = got["url"].removeprefix(server.uri)
    assert anyone.raw("GET", fetch) == (200, b"content")
    # It is good for that alone, and as long as its signer may do it.
    assert anyone.raw("PUT", fetch, b"other")[0] == 401
    assert anyone.raw("GET", fetch.replace("some", "same"))[0] == 401
    assert anyone.raw("GET", fetch.replace("/u.ada/", "/u.bob/"))[0] == 401
    assert anyone.raw("GET", fetch.replace("/l/u.ada/", "/l/u.ada/9"))[0] == 401
    server.users.rights.withdraw("ada", Kind.EXPERIMENT, server.store.experiment_of(run))
    assert anyone.raw("GET", fetch)[0] == 404
    server.users.rights.grant("ada", Kind.EXPERIMENT, server.store.experiment_of(run), Level.READ)
    assert anyone.raw("GET", fetch)[0] == 200
    server.users.accounts.change("ada", password="another one")
    assert anyone.raw("GET", fetch)[0] == 401
