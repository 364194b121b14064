"""Users, tokens and what was done, as whoever keeps a server sees to them on its machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlproj import server_wiring, wiring
from mlproj.model.access import Deed
from mlproj.server.auth.passwords import Passwords
from mlproj.store.opening import open_store
from tests.cli.conftest import COMMAND, Mlproj

PASSWORD = "a long password"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    open_store(folder, create=True).close()
    return folder


def typed(store: Path, *arguments: str, text: str = f"{PASSWORD}\n") -> subprocess.CompletedProcess[str]:
    """A command that reads a password."""
    return subprocess.run(
        (*COMMAND, *arguments, "--store", store), input=text, capture_output=True, text=True, timeout=120
    )


def test_users_are_added_changed_and_removed(store: Path, mlproj: Mlproj) -> None:
    assert typed(store, "users", "add", "ada", "--admin").returncode == 0
    assert mlproj("users", "add", "ci", "--no-password", "--store", store).code == 0
    again = typed(store, "users", "add", "ada")
    assert again.returncode == 5 and "already exists" in again.stderr
    short = typed(store, "users", "add", "bob", text="short\n")
    assert short.returncode == 2 and "8 to 1000 characters" in short.stderr
    none = typed(store, "users", "add", "bob", text="")
    assert none.returncode == 2 and "there is no password" in none.stderr
    users = server_wiring.users_of(open_store(store, create=False))
    known = users.accounts.known("ada")
    assert known is not None and Passwords().is_right(PASSWORD, known.password)
    assert typed(store, "users", "passwd", "ada", text="another password\r\n").returncode == 0
    known = users.accounts.known("ada")
    assert known is not None and Passwords().is_right("another password", known.password)
    assert mlproj("users", "disable", "ci", "--store", store).code == 0
    listed = mlproj("users", "list", "--store", store)
    assert "admin" in listed.stdout and "disabled, without password" in listed.stdout
    assert mlproj("users", "disable", "ci", "--undo", "--store", store).code == 0
    found = mlproj("users", "list", "--json", "--store", store).document
    assert [(user["name"], user["admin"], user["disabled"]) for user in found["users"]] == [
        ("ada", True, False),
        ("ci", False, False),
    ]
    assert PASSWORD not in listed.stdout + str(found)
    assert mlproj("users", "rm", "ci", "--store", store).code == 0
    assert mlproj("users", "rm", "ci", "--store", store).code == 5


def test_rights_are_given_and_taken_by_name(store: Path, mlproj: Mlproj) -> None:
    mlproj("users", "add", "ada", "--no-password", "--store", store)
    tracking = wiring.tracking_of(open_store(store, create=False))
    experiment = tracking.experiments.create("wine")
    tracking.registry.create("port")
    at = ("--store", store)
    assert mlproj("users", "grant", "ada", "edit", "--experiment", "wine", *at).code == 0
    assert mlproj("users", "grant", "ada", "READ", "--model", "port", *at).code == 0
    listed = mlproj("users", "list", *at).stdout
    assert "EDIT  experiment  wine" in listed and "READ  model       port" in listed
    (user,) = mlproj("users", "list", "--json", *at).document["users"]
    assert user["rights"] == [
        {"kind": "experiment", "thing": experiment.experiment_id, "level": "EDIT"},
        {"kind": "model", "thing": "port", "level": "READ"},
    ]
    assert mlproj("users", "revoke", "ada", "--model", "port", *at).code == 0
    for wrong, code in (
        (("grant", "ada", "EDIT"), 2),
        (("grant", "ada", "EDIT", "--model", "port", "--experiment", "wine"), 2),
        (("grant", "ada", "everything", "--model", "port"), 2),
        (("grant", "ada", "EDIT", "--experiment", "none"), 5),
        (("grant", "bob", "EDIT", "--model", "port"), 5),
        (("revoke", "ada", "--model", "port"), 5),
    ):
        answer = mlproj("users", *wrong, *at)
        assert answer.code == code and "Traceback" not in answer.stderr


def test_a_token_is_printed_once(store: Path, mlproj: Mlproj) -> None:
    mlproj("users", "add", "ci", "--no-password", "--store", store)
    at = ("--store", store)
    made = mlproj("tokens", "create", "ci", "--label", "nightly", "--level", "edit", "--days", "30", *at)
    token = made.stdout.strip()
    assert made.code == 0 and token.startswith("mlproj_") and token not in made.stderr
    listed = mlproj("tokens", "list", *at)
    assert "nightly" in listed.stdout and "EDIT" in listed.stdout and token not in listed.stdout
    (found,) = mlproj("tokens", "list", "ci", "--json", *at).document["tokens"]
    assert found["id"] in token and found["expires"] > found["created"] and found["used"] is None
    assert mlproj("tokens", "create", "nobody", *at).code == 5
    assert mlproj("tokens", "revoke", found["id"], *at).code == 0
    assert mlproj("tokens", "revoke", found["id"], *at).code == 5
    whole = mlproj("tokens", "create", "ci", "--json", *at).document
    assert whole["schema"] == "mlproj/token/1" and whole["token"].startswith(f"mlproj_{whole['id']}_")


def test_what_was_done_is_listed(store: Path, mlproj: Mlproj) -> None:
    users = server_wiring.users_of(open_store(store, create=False))
    for number in range(3):
        users.audit.note(
            [
                Deed(
                    time=f"2026-01-01T00:00:0{number}.000Z",
                    user="ada" if number else None,
                    token=None,
                    address="127.0.0.1",
                    action="POST /api/2.0/mlflow/runs/delete",
                    kind="run",
                    thing=f"run {number}\x1b[31m",
                    status=200,
                )
            ]
        )
    listed = mlproj("audit", "--user", "ada", "--store", store)
    assert listed.code == 0 and listed.stdout.count("runs/delete") == 2 and "\x1b" not in listed.stdout
    deeds = mlproj("audit", "--json", "--limit", "1", "--store", store).document["deeds"]
    assert [deed["time"] for deed in deeds] == ["2026-01-01T00:00:02.000Z"]
    before = str(deeds[0]["number"])
    (deed,) = mlproj("audit", "--json", "-n", "1", "--before", before, "--store", store).document["deeds"]
    assert deed["thing"].startswith("run 1")
