"""What is asked of the program that calls rattler, and what it answers, as plain data."""

from __future__ import annotations

import msgspec

from mlproj.environments.conda.addresses import name_of, public
from mlproj.model.digest import Digest, Json, canonical
from mlproj.model.environment import Lock

_NOTATION = "1"
"""Counts up when the answer to the same request is to be another one."""


class Tier(msgspec.Struct, frozen=True):
    """Channels that rank alike: one, or those that a name such as `defaults` stands for."""

    name: str
    urls: tuple[str, ...]


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """How rattler reaches channels: its own configuration files, and keys with values on top of them.

    `certificates` is a file or folder of those to believe, in place of the ones it would else.
    """

    files: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    certificates: str | None = None


class Solving(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Packages from channels for a platform: `asked` as the file has them, `packages` with channels as URLs.

    `as_of` (RFC 3339) wants nothing newer, `refresh` an answer from today. `overrides` are what a person says
    of the machine instead of what it says itself. `folder` is for what channels say. `kept` is a lock file
    whose packages stay where they will do.
    """

    file: str
    asked: tuple[str, ...]
    packages: tuple[str, ...]
    tiers: tuple[Tier, ...]
    platform: str
    overrides: tuple[tuple[str, str], ...]
    strict: bool
    with_pip: bool
    network: Network
    folder: str
    as_of: str | None
    refresh: bool
    kept: str | None = None

    @property
    def identity(self) -> str:
        """The digest of all that the answer hangs on save the day and the machine, without credentials."""
        parts: list[Json] = [
            _NOTATION,
            self.platform,
            [public(package) for package in self.packages],
            [[public(url) for url in tier.urls] for tier in self.tiers],
            [list(pair) for pair in self.overrides],
            self.strict,
            self.with_pip,
            self.as_of,
        ]
        return Digest.of(canonical(["conda", *parts])).hex

    @property
    def names(self) -> frozenset[str]:
        return frozenset(filter(None, map(name_of, self.asked)))

    @property
    def origins(self) -> tuple[str, ...]:
        """The channels whose URLs hold credentials, with them."""
        urls = (url for tier in self.tiers for url in tier.urls)
        return tuple(url for url in dict.fromkeys(urls) if public(url) != url)


class Linking(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The packages of a lock file for a platform, into the folder `prefix`.

    `origins` are channels with credentials, `folder` is for packages that are there to be linked; each file
    in it is looked at first where that is to be `thorough`. `artifacts` is a folder with archives of
    packages; with `offline` nothing is downloaded.
    """

    lock: str
    platform: str
    prefix: str
    origins: tuple[str, ...]
    network: Network
    folder: str
    thorough: bool
    artifacts: str | None = None
    offline: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The packages of a lock file for a platform, by name."""

    lock: str
    platform: str


Order = Solving | Linking | Reading


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What an EnvironmentFailed is made of."""

    message: str
    hint: str | None
    output: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order: a lock for one that asks for it, sentences for a person, or why it failed."""

    lock: Lock | None = None
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
