"""Whatever keeps the users of a server keeps to this."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.access_ports import Users
from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.access import Deed, Kind, Level, Permission
from mlproj.model.digest import Digest
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_served_store, open_store
from mlproj.store.users import open_users
from tests.databases import KINDS, new_uri


def _at_a_server(kind: str, path: Path) -> FolderStore:
    return open_served_store(new_uri(kind), path / "beside", create=True)


STORES: dict[str, Callable[[Path], FolderStore]] = {
    "folder": lambda path: open_store(path / ".mlproj", create=True),
    **{kind: partial(_at_a_server, kind) for kind in KINDS},
}
PASSWORD = "a long password"


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderStore]:
    store = STORES[request.param](tmp_path)
    yield store
    store.close()


@pytest.fixture
def users(store: FolderStore) -> Iterator[Users]:
    users = open_users(store)
    yield users
    users.close()


def test_users_are_kept_with_what_a_library_makes_of_their_passwords(users: Users) -> None:
    made = users.accounts.add("ada", password=PASSWORD, admin=True)
    assert made == users.accounts.get("ada") and made.admin and made.has_password and not made.disabled
    known = users.accounts.known("ada")
    assert known is not None and known.user == made
    assert known.password is not None and PASSWORD not in known.password
    assert not users.accounts.add("ci", password=None).has_password
    assert [user.name for user in users.accounts.all()] == ["ada", "ci"]
    with pytest.raises(AlreadyThere):
        users.accounts.add("ada", password=PASSWORD)
    assert users.accounts.known("bob") is None
    with pytest.raises(NotFound):
        users.accounts.get("bob")


@pytest.mark.parametrize(
    "name", ["", " ada", "a:b", "a/b", "mlproj_x", "a" * 129, "a\nb", "a\0b", "\ud800", "a\u200b"]
)
def test_some_names_are_none(users: Users, name: str) -> None:
    with pytest.raises(UsageError):
        users.accounts.add(name, password=PASSWORD)


@pytest.mark.parametrize("name", ["ada", "ada@example.org", "Ada Lovelace", "阿达", "a" * 128, "a'b\"c%_"])
def test_other_names_are_kept_as_they_are(users: Users, name: str) -> None:
    users.accounts.add(name, password=PASSWORD)
    users.rights.grant(name, Kind.MODEL, "wine", Level.READ)
    assert users.accounts.get(name).name == name and users.rights.levels(name, Kind.MODEL)


@pytest.mark.parametrize("password", ["", "1234567", "a" * 1001, "12345678\ud800"])
def test_some_passwords_are_none(users: Users, password: str) -> None:
    with pytest.raises(UsageError):
        users.accounts.add("ada", password=password)


def test_users_are_changed_in_what_is_given_alone(users: Users) -> None:
    users.accounts.add("ada", password=PASSWORD)
    before = users.accounts.known("ada")
    users.accounts.change("ada", disabled=True)
    users.accounts.change("ada", admin=True)
    after = users.accounts.known("ada")
    assert before is not None and after is not None
    assert after.password == before.password and after.user.disabled and after.user.admin
    users.accounts.change("ada", password="another password")
    changed = users.accounts.known("ada")
    assert changed is not None and changed.password != before.password
    with pytest.raises(NotFound):
        users.accounts.change("bob", admin=True)
    with pytest.raises(NotFound):
        users.accounts.remove("bob")


def test_what_a_removed_user_had_goes_with_them(users: Users) -> None:
    users.accounts.add("ada", password=PASSWORD)
    token, _ = users.tokens.create("ada", label="ci")
    users.rights.grant("ada", Kind.EXPERIMENT, "1", Level.MANAGE)
    users.accounts.remove("ada")
    users.accounts.add("ada", password=PASSWORD)
    assert users.tokens.known(token.id) is None and not users.tokens.all("ada")
    assert users.rights.level("ada", Kind.EXPERIMENT, "1") is None


def test_tokens_are_told_once_and_kept_as_a_digest(users: Users) -> None:
    users.accounts.add("ada", password=None)
    made, whole = users.tokens.create("ada", label="ci", level=Level.READ, expires="2120-01-01T00:00:00.000Z")
    known = users.tokens.known(made.id)
    assert known is not None and known.token == made and known.digest == Digest.of(whole.encode())
    assert known.user is not None and known.user.name == "ada" and not known.over
    assert (made.level, made.expires, made.used) == (Level.READ, "2120-01-01T00:00:00.000Z", None)
    users.tokens.used(made.id)
    (listed,) = users.tokens.all("ada")
    assert listed.used is not None
    users.accounts.add("bob", password=None)
    users.tokens.create("bob", label="other")
    assert len(users.tokens.all()) == 2
    users.tokens.revoke(made.id)
    assert users.tokens.known(made.id) is None
    with pytest.raises(NotFound):
        users.tokens.revoke(made.id)
    with pytest.raises(NotFound):
        users.tokens.create("nobody", label="ci")


def test_the_tokens_of_a_run_are_its_own(users: Users) -> None:
    users.accounts.add("ada", password=None)
    for user in ("ada", None):
        whole = users.run_token("a" * 32, user)
        known = users.tokens.known(whole.split("_")[1])
        assert known is not None and known.token.run_id == "a" * 32 and known.token.level is Level.EDIT
        assert (known.user and known.user.name) == user
    assert users.tokens.all() == []
    users.end_run_tokens("a" * 32)
    assert users.tokens.known(whole.split("_")[1]) is None
    assert not users.owns("a" * 32, "b" * 32)


def test_a_later_word_of_rights_counts(users: Users) -> None:
    for name in ("ada", "bob"):
        users.accounts.add(name, password=None)
    users.rights.grant("ada", Kind.MODEL, "wine", Level.READ)
    users.rights.grant("ada", Kind.MODEL, "wine", Level.EDIT)
    users.rights.grant("bob", Kind.EXPERIMENT, "1", Level.NONE)
    assert users.rights.level("ada", Kind.MODEL, "wine") is Level.EDIT
    assert users.rights.level("ada", Kind.EXPERIMENT, "wine") is None
    assert users.rights.levels("bob", Kind.EXPERIMENT) == {"1": Level.NONE}
    said = Permission(user="ada", kind=Kind.MODEL, thing="wine", level=Level.EDIT)
    assert users.rights.all(thing="wine") == [said] == users.rights.all(kind=Kind.MODEL)
    assert len(users.rights.all()) == 2
    users.rights.withdraw("ada", Kind.MODEL, "wine")
    with pytest.raises(NotFound):
        users.rights.withdraw("ada", Kind.MODEL, "wine")
    with pytest.raises(NotFound):
        users.rights.grant("nobody", Kind.MODEL, "wine", Level.READ)


def test_rights_are_to_a_thing_and_not_to_its_name(users: Users, store: FolderStore) -> None:
    """They go with it in the moment in which it is renamed: somebody may give another the name right then."""
    for name in ("ada", "bob"):
        users.accounts.add(name, password=None)
    with contextlib.closing(wiring.tracking_of(store)) as tracking:
        users.rights.grant("bob", Kind.MODEL, "wine", Level.MANAGE)
        tracking.registry.create("wine")
        assert users.rights.levels("bob", Kind.MODEL) == {}
        users.rights.grant("bob", Kind.MODEL, "wine", Level.MANAGE)
        users.rights.made("ada", Kind.MODEL, "wine")
        assert users.rights.levels("bob", Kind.MODEL) == {}
        users.rights.grant("bob", Kind.MODEL, "port", Level.MANAGE)
        tracking.registry.rename("wine", "port")
        assert users.rights.levels("ada", Kind.MODEL) == {"port": Level.MANAGE}
        assert users.rights.levels("bob", Kind.MODEL) == {}
        tracking.registry.rename("port", "port")
        assert users.rights.level("ada", Kind.MODEL, "port") is Level.MANAGE
        tracking.registry.delete("port")
        assert users.rights.all() == []


def test_deeds_are_read_the_newest_first(users: Users) -> None:
    def deed(number: int) -> Deed:
        return Deed(
            time=f"2026-01-01T00:00:0{number}.000Z",
            user="ada" if number % 2 else None,
            token=None,
            address="127.0.0.1",
            action=f"POST /{number}",
            kind="run",
            thing=str(number),
            status=200,
            times=number,
        )

    users.audit.note([])
    users.audit.note([deed(1), deed(2)])
    users.audit.note([deed(3)])
    found = users.audit.all()
    assert [each.times for each in found] == [3, 2, 1] and found[0].number > found[1].number
    assert [each.action for each in users.audit.all(user="ada")] == ["POST /3", "POST /1"]
    assert [each.action for each in users.audit.all(thing="2")] == ["POST /2"]
    assert [each.action for each in users.audit.all(before=found[0].number, limit=1)] == ["POST /2"]


def test_whatever_is_sent_is_written_down(users: Users) -> None:
    odd = "a\0b\ud800" + "x" * 1000
    users.audit.note(
        [
            Deed(
                time="2026-01-01T00:00:00.000Z",
                user=odd,
                token=odd,
                address=odd,
                action=odd,
                kind=odd,
                thing=odd,
                status=401,
            )
        ]
    )
    (found,) = users.audit.all()
    assert found.action.startswith("a\ufffdb\ufffdxxx")
