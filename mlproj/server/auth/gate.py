"""Decides who somebody is by what they show, each time anew: what was taken back counts at once."""

from __future__ import annotations

import hashlib
import hmac
import math

import msgspec

from mlproj.access_ports import KnownToken, Users
from mlproj.model.access import Level, User
from mlproj.model.digest import Digest
from mlproj.model.moment import milliseconds, now
from mlproj.server.auth.credentials import ByPassword, ByToken, Shown
from mlproj.server.auth.passwords import Passwords
from mlproj.server.auth.slowing import Slowing
from mlproj.server.failures import TOO_MANY, UNKNOWN_CALLER, Failure, invalid

_USED_MS = 60_000
"""A token's last use is noted so seldom."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls. `cap` is what a token lets its user do at most; `key` is what their links are signed with,
    `signer` what tells whose those are. `user` is None for a run at a server without users."""

    user: User | None
    token: str | None = None
    run_id: str | None = None
    cap: Level | None = None
    signer: str
    key: bytes


class Slow(Exception):
    """That this is a password which has to be looked at, which takes its time."""


class Gate:
    """Lets in who is known. May be used from several threads."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._passwords = Passwords()
        self._slowing = Slowing()

    def identity(self, shown: Shown | None, address: str, *, quick: bool = False) -> Identity:
        """Raises Failure where nothing is shown, or nothing that is good. Where it has to be `quick`, raises
        Slow instead where that is not known yet."""
        match shown:
            case None:
                raise Failure(UNKNOWN_CALLER, "You are not authenticated: this server asks who you are")
            case ByPassword():
                return self._by_password(shown, address, quick=quick)
            case ByToken():
                return self._by_token(shown, address)

    def run(self, shown: ByToken | None, address: str) -> Identity:
        """As `identity`, of the script of a run: what stands in an address is good for those alone."""
        if shown is None:
            raise _unknown()
        found = self._by_token(shown, address)
        if found.run_id is None:
            raise _unknown()
        return found

    def signer(self, name: str) -> Identity:
        """Who signed a link: its key tells whether they did. Raises Failure."""
        kind, _, who = name.partition(".")
        if kind == "t":
            token = self._users.tokens.known(who)
            if token is not None and _is_good(token):
                return _of_token(token)
        elif kind == "u":
            known = self._users.accounts.known(who)
            if known is not None and known.password is not None and not known.user.disabled:
                return _of_user(known.user, known.password)
        raise _unknown()

    def confirmed(self, address: str, name: str, password: str) -> None:
        """Raises Failure where that is not the user's password."""
        try:
            self._by_password(ByPassword(name, password), address)
        except Failure as failure:
            if failure.code != UNKNOWN_CALLER:
                raise
            # Who they are is known already: a client that hears otherwise asks for it anew.
            raise invalid("Current password does not match.") from failure

    def _by_password(self, shown: ByPassword, address: str, *, quick: bool = False) -> Identity:
        self._refuse_hurry(shown.name, address)
        known = self._users.accounts.known(shown.name)
        kept = None if known is None or known.user.disabled else known.password
        if quick and not self._passwords.remembers(shown.password, kept):
            raise Slow
        if not self._passwords.is_right(shown.password, kept):
            self._slowing.failed(shown.name, address)
            raise _unknown()
        assert known is not None and kept is not None
        self._slowing.succeeded(shown.name, address)
        return _of_user(known.user, kept)

    def _by_token(self, shown: ByToken, address: str) -> Identity:
        # Nobody guesses one of these: who has a good one does not wait because of others behind the address.
        known = self._users.tokens.known(shown.id)
        digest = "" if known is None else known.digest
        same = hmac.compare_digest(digest, Digest.of(shown.whole.encode()))
        if known is None or not same or not _is_good(known):
            self._refuse_hurry(shown.id, address)
            self._slowing.failed(shown.id, address)
            raise _unknown()
        if known.token.run_id is None and _is_long_ago(known.token.used):
            self._users.tokens.used(shown.id)
        return _of_token(known)

    def _refuse_hurry(self, name: str, address: str) -> None:
        left = self._slowing.wait(name, address)
        if left > 0:
            raise Failure(TOO_MANY, f"too many failed attempts: try again in {math.ceil(left)} s")


def _of_user(user: User, kept: str) -> Identity:
    return Identity(user=user, signer=f"u.{user.name}", key=_key(kept))


def _of_token(known: KnownToken) -> Identity:
    token = known.token
    return Identity(
        user=known.user,
        token=token.id,
        run_id=token.run_id,
        cap=token.level,
        signer=f"t.{token.id}",
        key=_key(known.digest),
    )


def _key(kept: str) -> bytes:
    """What nobody knows but who can read the database, and what is another as soon as that is taken back."""
    return hashlib.sha256(b"link\0" + kept.encode()).digest()


def _is_good(known: KnownToken) -> bool:
    token = known.token
    if known.user is None:
        if token.user is not None or token.run_id is None:
            return False
    elif known.user.disabled:
        return False
    return not known.over and (token.expires is None or now() < token.expires)


def _is_long_ago(moment: str | None) -> bool:
    return (milliseconds(moment) or 0) + _USED_MS < (milliseconds(now()) or 0)


def _unknown() -> Failure:
    return Failure(UNKNOWN_CALLER, "You are not authenticated: no such user, password or token")
