"""What the door of a server is made of: passwords, waiting, links, and what is on its way to be written."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from mlproj.errors import StoreError
from mlproj.model.access import Deed
from mlproj.model.redaction import without_credentials
from mlproj.provenance.redaction import looks_secret_value
from mlproj.server.auth import links
from mlproj.server.auth.credentials import ByPassword, ByToken, shown
from mlproj.server.auth.gate import Identity
from mlproj.server.auth.passwords import Passwords
from mlproj.server.auth.slowing import FREE, FREE_OF_ADDRESS, LONGEST_S, Slowing
from mlproj.server.auth.trail import Trail
from mlproj.server.failures import Failure
from mlproj.store.users_passwords import kept
from tests.server.calling import wait_until
from tests.server.guarded import basic, bearer

TOKEN = "mlproj_0123456789abcdef_" + "x" * 43


def test_a_password_that_was_right_is_known_for_what_is_kept_alone() -> None:
    passwords, first, second = Passwords(), kept("the right one"), kept("another one")
    for _ in range(2):
        assert passwords.is_right("the right one", first)
        assert not passwords.is_right("the wrong one", first)
        assert not passwords.is_right("the right one", second)
        assert not passwords.is_right("the right one", None)
    assert not passwords.is_right("the right one", "no hash")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (basic("ada", "a:b"), ByPassword("ada", "a:b")),
        (basic("阿达", "pass"), ByPassword("阿达", "pass")),
        (basic("ada", TOKEN), ByToken("0123456789abcdef", TOKEN)),
        (bearer(TOKEN), ByToken("0123456789abcdef", TOKEN)),
        (bearer(TOKEN + "/x"), None),
        (bearer(TOKEN.replace("a", "A")), None),
        ({"Authorization": "bearer  " + TOKEN}, ByToken("0123456789abcdef", TOKEN)),
    ],
)
def test_what_is_shown_is_read(headers: dict[str, str], expected: object) -> None:
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert shown(sent) == expected
    # Which of two would count nobody could tell.
    assert shown([*sent, *sent]) is None


def test_whoever_guesses_waits_longer_and_longer() -> None:
    moment = 0.0
    slowing, waits = Slowing(lambda: moment), list[float]()
    for _ in range(30):
        assert slowing.wait("ada", "there") == 0
        slowing.failed("ada", "there")
        waits.append(slowing.wait("ada", "there"))
        moment += waits[-1]
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE:] == sorted(waits[FREE:]) and waits[-1] == LONGEST_S
    assert slowing.wait("bob", "there") == slowing.wait("ada", "elsewhere") == 0
    slowing.succeeded("ada", "there")
    assert slowing.wait("ada", "there") == 0


def test_whoever_tries_many_names_waits_too() -> None:
    slowing = Slowing(lambda: 0.0)
    for number in range(FREE_OF_ADDRESS + 1):
        slowing.failed(f"name {number}", "there")
    assert slowing.wait("another", "there") > 0 and slowing.wait("another", "elsewhere") == 0


def test_a_link_is_good_for_one_request_and_for_a_time() -> None:
    ada = Identity(user=None, signer="u.ada", key=b"k" * 32)
    path = "/api/2.0/mlflow-artifacts/artifacts/0/a b/ü%2f?#.bin"
    link = links.signed(ada, "GET", path, now=lambda: 1000.0)
    prefix = "/".join(link.split("/")[:5])
    plain = f"{prefix}{path}"
    assert links.followed("GET", plain, lambda name: ada, now=lambda: 1000.0) == (ada, path)
    other = Identity(user=None, signer="u.ada", key=b"x" * 32)
    attempts: list[tuple[str, str, Identity, float]] = [
        ("PUT", plain, ada, 1000.0),
        ("GET", f"{plain}x", ada, 1000.0),
        ("GET", plain, other, 1000.0),
        ("GET", plain, ada, 1001.0 + links.LASTS_S),
        ("GET", plain.replace(str(1000 + links.LASTS_S), "999999999"), ada, 1000.0),
        ("GET", "/l/x", ada, 1000.0),
    ]
    for method, said, identity, moment in attempts:
        signers = {"u.ada": identity}
        with pytest.raises(Failure):
            links.followed(method, said, signers.__getitem__, now=iter([moment]).__next__)


class Book:
    """An audit that can be away."""

    def __init__(self) -> None:
        self.written: list[Deed] = []
        self.away = False

    def note(self, deeds: Sequence[Deed]) -> None:
        if self.away:
            raise StoreError("the database is away")
        self.written += deeds

    def all(self, **asked: object) -> Sequence[Deed]:
        return self.written


def _deed(time: str = "2026-01-01T00:00:00.000Z", thing: str = "a") -> Deed:
    return Deed(
        time=time, user="ada", token=None, address=None, action="POST /", kind="run", thing=thing, status=200
    )


def test_deeds_that_are_alike_are_gathered_and_counted() -> None:
    book = Book()
    trail = Trail(book)

    def gather() -> None:
        for number in range(500):
            trail.gather(_deed(f"t{number}"))

    threads = [threading.Thread(target=gather) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.write(_deed(thing="b"))
    assert book.written[-1].thing == "b"
    trail.gather(_deed(thing="c"))
    trail.close()
    assert sum(deed.times for deed in book.written if deed.thing == "a") == 2000
    assert len(book.written) < 20 and book.written[-1].thing == "c"


def test_deeds_wait_for_a_database_that_is_away() -> None:
    book, heard = Book(), list[Exception]()
    trail = Trail(book, heard.append)
    book.away = True
    trail.gather(_deed())
    wait_until(lambda: bool(heard))
    trail.gather(_deed())
    with pytest.raises(StoreError):
        trail.write(_deed(thing="b"))
    book.away = False
    trail.close()
    assert sum(deed.times for deed in book.written if deed.thing == "a") == 2
    assert sum(deed.times for deed in book.written if deed.thing == "b") == 1


def test_a_token_is_told_by_its_form_wherever_it_stands() -> None:
    for text in (TOKEN, f"export MLFLOW_TRACKING_TOKEN={TOKEN}", f"https://host/t/{TOKEN}/api"):
        assert TOKEN not in without_credentials(text) and looks_secret_value(text)
    for text in ("mlproj_version", "mlproj_0123456789abcdef", TOKEN.replace("mlproj", "other")):
        assert without_credentials(text) == text and not looks_secret_value(text)
