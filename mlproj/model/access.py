"""Who may do what at a server: levels as MLflow names them, each with all that those before it allow."""

from __future__ import annotations

import enum
from typing import NamedTuple

import msgspec


class Level(enum.Enum):
    """What a user may do with an experiment or a registered model, and all that is in it."""

    NONE = "NO_PERMISSIONS"
    READ = "READ"
    EDIT = "EDIT"
    MANAGE = "MANAGE"

    def allows(self, wanted: Level) -> bool:
        order = list(Level)
        return order.index(wanted) <= order.index(self)


class Kind(enum.Enum):
    """What rights are given to: an experiment by its id, a registered model by its name."""

    EXPERIMENT = "experiment"
    MODEL = "model"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom a server knows. Without a password they come in by their tokens alone."""

    name: str
    created: str
    admin: bool = False
    disabled: bool = False
    has_password: bool = True


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a program comes in by. `level` is what it lets its user do at most.

    That of a run (`run_id`) is for the script of that run, and at a server without users nobody's.
    """

    id: str
    user: str | None
    label: str
    created: str
    expires: str | None = None
    used: str | None = None
    run_id: str | None = None
    level: Level | None = None


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may do with a thing: an experiment by its id, a registered model by its name."""

    user: str
    kind: Kind
    thing: str
    level: Level


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did, or tried to do: `action` is the route, `status` what was answered.

    `times` says how often it was done alike, from `time` on, for what is logged without end.
    """

    time: str
    user: str | None
    token: str | None
    address: str | None
    action: str
    kind: str | None
    thing: str | None
    status: int
    times: int = 1
    number: int = 0


def experiment_key(experiment_id: str) -> str:
    """The one way to write an experiment's id, by which rights to it are kept: `7` for `07`, too."""
    plain = experiment_id.isascii() and experiment_id.isdigit()
    return experiment_id.lstrip("0") or "0" if plain else experiment_id


class _Cost(NamedTuple):
    time: int = 2
    memory_kib: int = 19 * 1024
    threads: int = 1


PASSWORD_COST = _Cost()
"""What a guess of a password costs with Argon2: the least of what OWASP advises, as several people may log
in at once, and each check takes this memory."""
