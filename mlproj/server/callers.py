"""Who calls: what a route asks when what it does is not for everybody."""

from __future__ import annotations

from typing import Protocol

from mlproj.model.access import Kind, Level, User

CALLER = "mlproj.caller"
"""Where a request's scope holds who calls, once an entrance knows."""


class Caller(Protocol):
    """Somebody at a server, for the length of one request."""

    @property
    def name(self) -> str | None:
        """None where nobody has to say who they are."""
        ...

    @property
    def admin(self) -> bool:
        """Whether everything is theirs to see and to change."""
        ...

    def may(self, level: Level, kind: Kind, thing: str) -> bool:
        """Whether they may do that with an experiment (by id) or a registered model (by name)."""
        ...

    def visible(self, kind: Kind) -> frozenset[str] | None:
        """Of all experiments or registered models those that they may read; None for every one."""
        ...

    def made(self, kind: Kind, thing: str) -> None:
        """Says that they made it just now: it is theirs to manage, and nobody else's."""
        ...

    def note(self, kind: str, thing: str, *, changes: bool) -> None:
        """Says what the request is about, for what is written down of it; the narrowest last."""
        ...

    def confirm(self, password: str) -> None:
        """Raises Failure where that is not their password."""
        ...

    def level_of(self, user: User, kind: Kind, thing: str) -> Level:
        """What another user may do with that at this server."""
        ...


class Anybody:
    """Whoever calls a server without users: everything is theirs."""

    name: str | None = None
    admin = True

    def may(self, level: Level, kind: Kind, thing: str) -> bool:
        return True

    def visible(self, kind: Kind) -> frozenset[str] | None:
        return None

    def made(self, kind: Kind, thing: str) -> None:
        return None

    def note(self, kind: str, thing: str, *, changes: bool) -> None:
        return None

    def confirm(self, password: str) -> None:
        return None

    def level_of(self, user: User, kind: Kind, thing: str) -> Level:
        return Level.MANAGE
