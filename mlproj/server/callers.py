"""Who calls: what a route asks when what it does is not for everybody."""

from __future__ import annotations

from typing import Protocol

from mlproj.model.access import Kind, Level

CALLER = "mlproj.caller"
"""Where a request's scope holds who calls, where that is known."""


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


class Anybody:
    """Whoever calls a server without users: everything is theirs."""

    name: str | None = None
    admin = True

    def may(self, level: Level, kind: Kind, thing: str) -> bool:
        return True

    def visible(self, kind: Kind) -> frozenset[str] | None:
        return None
