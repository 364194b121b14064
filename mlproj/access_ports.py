"""The seams of a server that several people use: who they are, what lets them in, their rights, their deeds.

All of them raise NotFound for what is not there, AlreadyThere for a name that is taken, UsageError for what
cannot be meant, and StoreError where the store cannot be written to. What was answered is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from mlproj.model.access import Deed, Kind, Level, Permission, Token, User


class KnownUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user with what is kept of their password, None where they have none."""

    user: User
    password: str | None


class KnownToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with the digest of the whole, whose it is, and whether the run that it is of is over."""

    token: Token
    digest: str
    user: User | None
    over: bool = False


class Accounts(Protocol):
    """The users. Of a password that is given, what a library makes of it is kept."""

    def add(self, name: str, *, password: str | None, admin: bool = False) -> User: ...

    def get(self, name: str) -> User: ...

    def all(self) -> Sequence[User]: ...

    def known(self, name: str) -> KnownUser | None:
        """For whoever says that they are this user."""
        ...

    def change(
        self,
        name: str,
        *,
        password: str | None = None,
        admin: bool | None = None,
        disabled: bool | None = None,
    ) -> None:
        """Changes what is given."""
        ...

    def remove(self, name: str) -> None:
        """With their tokens and rights. What they did stays."""
        ...


class Tokens(Protocol):
    """What programs come in by. A token itself is told once, when it is made."""

    def create(
        self, user: str, *, label: str, level: Level | None = None, expires: str | None = None
    ) -> tuple[Token, str]: ...

    def all(self, user: str | None = None) -> Sequence[Token]:
        """The newest first; one user's where one is named. Those of runs are left out."""
        ...

    def known(self, token_id: str) -> KnownToken | None:
        """For whoever comes with a token that begins with this id."""
        ...

    def used(self, token_id: str) -> None:
        """Notes that it was used just now."""
        ...

    def revoke(self, token_id: str) -> None: ...


class Rights(Protocol):
    """Who may do what with which experiment or registered model."""

    def level(self, user: str, kind: Kind, thing: str) -> Level | None:
        """None where nothing was said of it."""
        ...

    def levels(self, user: str, kind: Kind) -> Mapping[str, Level]:
        """All that was said, by thing."""
        ...

    def things(self, kind: Kind) -> Collection[str]:
        """All experiments by id, or registered models by name, that there are."""
        ...

    def all(
        self, *, user: str | None = None, kind: Kind | None = None, thing: str | None = None
    ) -> Sequence[Permission]: ...

    def grant(self, user: str, kind: Kind, thing: str, level: Level) -> None:
        """In the place of what was said before."""
        ...

    def withdraw(self, user: str, kind: Kind, thing: str) -> None: ...

    def made(self, user: str, kind: Kind, thing: str) -> None:
        """A new thing is its maker's to manage, and nobody else's, whatever had its name before.

        The rights to a registered model go with its name, and end with it, by what renames and deletes it.
        """
        ...


class Audit(Protocol):
    """What was done, in the order in which it was written down."""

    def note(self, deeds: Sequence[Deed]) -> None: ...

    def all(
        self,
        *,
        user: str | None = None,
        thing: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Deed]:
        """The newest first, from before the one of that number."""
        ...


class Users(Protocol):
    """All of it, over one store. May be used from several threads."""

    @property
    def accounts(self) -> Accounts: ...

    @property
    def tokens(self) -> Tokens: ...

    @property
    def rights(self) -> Rights: ...

    @property
    def audit(self) -> Audit: ...

    def run_token(self, run_id: str, user: str | None) -> str:
        """A new token for the script of a run that goes on; of nobody where the server knows no users."""
        ...

    def end_run_tokens(self, run_id: str) -> None: ...

    def owns(self, run_id: str, other: str) -> bool:
        """Whether the run `other` was begun in the script of the run `run_id`."""
        ...

    def close(self) -> None: ...
