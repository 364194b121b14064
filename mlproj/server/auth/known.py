"""Somebody known, for the length of one request: what they may, and what of theirs is to be written down."""

from __future__ import annotations

from collections.abc import Callable

from mlproj.access_ports import Users
from mlproj.model.access import Kind, Level, User, experiment_key
from mlproj.server.auth.gate import Identity


class KnownCaller:
    """A `Caller` who is a user, or a program of one.

    What they ask for is looked up once per request. `about` becomes what the request was about, `changes`
    whether it was to change something, `refused` whether it asked for what they may not.
    """

    def __init__(
        self, identity: Identity, users: Users, default: Level, confirmed: Callable[[str, str], None]
    ) -> None:
        self.identity = identity
        self.users = users
        self.about: tuple[str, str] | None = None
        self.changes = False
        self.refused = False
        self._default = default
        self._confirmed = confirmed
        self._levels: dict[tuple[Kind, str], Level] = {}

    @property
    def name(self) -> str | None:
        return None if self.identity.user is None else self.identity.user.name

    @property
    def manages_all(self) -> bool:
        """Whether their own rights, whatever they came in by, are to everything."""
        return self.identity.user is not None and self.identity.user.admin

    @property
    def admin(self) -> bool:
        return self.manages_all and self.identity.cap is None

    def may(self, level: Level, kind: Kind, thing: str) -> bool:
        if not self._capped(level) or not (self.manages_all or self._level(kind, thing).allows(level)):
            return False
        if level is not Level.READ and self.about is None:
            self.note(kind.value, thing, changes=True)
        return True

    def may_make(self) -> bool:
        """Whether they may make experiments and registered models, which are theirs then."""
        return self._capped(Level.EDIT)

    def visible(self, kind: Kind) -> frozenset[str] | None:
        if not self._capped(Level.READ):
            return frozenset()
        if self.manages_all:
            return None
        said = self.users.rights.levels(self.name or "", kind)
        if not self._default.allows(Level.READ):
            return frozenset(thing for thing, level in said.items() if level.allows(Level.READ))
        hidden = {thing for thing, level in said.items() if not level.allows(Level.READ)}
        return frozenset(self.users.rights.things(kind)) - hidden if hidden else None

    def made(self, kind: Kind, thing: str) -> None:
        self._levels.clear()
        if self.name is not None:
            self.users.rights.made(self.name, kind, thing)

    def note(self, kind: str, thing: str, *, changes: bool) -> None:
        """Says what the request is about, the narrowest last."""
        self.about = (kind, thing)
        self.changes = self.changes or changes

    def confirm(self, password: str) -> None:
        self._confirmed(self.name or "", password)

    def level_of(self, user: User, kind: Kind, thing: str) -> Level:
        if user.admin:
            return Level.MANAGE
        said = self.users.rights.level(user.name, kind, _key(kind, thing))
        return self._default if said is None else said

    def _capped(self, level: Level) -> bool:
        return self.identity.cap is None or self.identity.cap.allows(level)

    def _level(self, kind: Kind, thing: str) -> Level:
        key = _key(kind, thing)
        known = self._levels.get((kind, key))
        if known is None:
            said = self.users.rights.level(self.name or "", kind, key)
            known = self._levels[(kind, key)] = self._default if said is None else said
        return known


def _key(kind: Kind, thing: str) -> str:
    """What rights to the thing are kept under."""
    return experiment_key(thing) if kind is Kind.EXPERIMENT else thing
