"""What is to be solved, as one value, with the identity that says when an earlier solution still holds."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.environments.conda.channels import Channels, Tier, split
from mlproj.environments.conda.configuration import Configuration, public
from mlproj.errors import EnvironmentFailed
from mlproj.model.digest import Digest, Json, canonical
from mlproj.model.environment import CondaSpec

_NOTATION = "1"
"""Counts up when the answer to the same request is to be another one."""

_MACHINES = {"x86_64": "64", "amd64": "64", "i686": "32", "i386": "32", "arm64": "arm64"}
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Packages from channels for a platform: `asked` as the file has them, `packages` with channels as URLs.

    `as_of` (RFC 3339) wants nothing newer, `refresh` an answer from today. `overrides` are what a person says
    of the machine instead of what it says itself.
    """

    file: str
    asked: tuple[str, ...]
    packages: tuple[str, ...]
    tiers: tuple[Tier, ...]
    platform: str
    overrides: tuple[tuple[str, str], ...]
    configuration: Configuration
    cache: Path
    as_of: str | None
    refresh: bool

    @property
    def identity(self) -> str:
        """The digest of all that the answer hangs on save the day and the machine, without credentials."""
        parts: list[Json] = [
            _NOTATION,
            self.platform,
            [public(package) for package in self.packages],
            [[public(url) for url in tier.urls] for tier in self.tiers],
            [list(pair) for pair in self.overrides],
            *self.configuration.identity,
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


def request(
    spec: CondaSpec,
    channels: Channels,
    *,
    cache: Path,
    as_of: str | None,
    refresh: bool,
) -> Request:
    """What the specification asks for on this machine. Raises EnvironmentFailed where it is not for it."""
    platform = platform_here()
    if spec.platforms and platform not in spec.platforms:
        named = ", ".join(f"`{name}`" for name in spec.platforms)
        raise EnvironmentFailed(
            f"`{spec.file}` is for {named}, and this machine is `{platform}`",
            hint=f"add `{platform}` to its `platforms`",
        )
    asked = spec.dependencies
    if spec.pip and not any(name_of(package) == "python" for package in asked):
        asked = (*asked, "python")  # conda, too, brings the Python that a `pip:` list needs
    return Request(
        file=spec.file,
        asked=asked,
        packages=tuple(map(channels.specification, asked)),
        tiers=channels.tiers(spec.channels, asked),
        platform=platform,
        overrides=_overrides(channels.environ),
        configuration=channels.configuration,
        cache=cache,
        as_of=as_of,
        refresh=refresh,
    )


def platform_here() -> str:
    """This machine in conda's words, such as `linux-64`."""
    machine = os.uname().machine.lower()
    system = "osx" if sys.platform == "darwin" else "linux"
    return f"{system}-{_MACHINES.get(machine, machine)}"


def name_of(package: str) -> str | None:
    """The name in what was asked for; None where it is the address of an archive."""
    wanted = split(package)[1].strip()
    found = None if "://" in wanted else _NAME.match(wanted)
    return None if found is None else found[0].lower()


def _overrides(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, environ[name]) for name in sorted(environ) if name.startswith("CONDA_OVERRIDE_"))
