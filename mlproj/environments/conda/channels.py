"""Turns names of channels into URLs, by a person's configuration and relative to the file that has them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mlproj.environments.conda.addresses import name_of, split
from mlproj.environments.conda.configuration import Configuration, expanded
from mlproj.environments.conda.orders import Solving, Tier
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec
from mlproj.ports import Resolving

_MACHINES = {"x86_64": "64", "amd64": "64", "i686": "32", "i386": "32", "arm64": "arm64"}
_PLATFORM = re.compile(r"/(?:noarch|(?:linux|osx|win|emscripten|wasi|freebsd|zos)-[a-z0-9]+)/?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The channels of a file in `folder`."""

    configuration: Configuration
    folder: Path
    environ: Mapping[str, str]

    def request(self, spec: CondaSpec, cache: Path, resolving: Resolving) -> Solving:
        """What the specification asks for on this machine. Raises EnvironmentFailed if it is for others."""
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
        said = (name for name in sorted(self.environ) if name.startswith("CONDA_OVERRIDE_"))
        return Solving(
            file=spec.file,
            asked=asked,
            packages=tuple(map(self.specification, asked)),
            tiers=self.tiers(spec.channels, asked),
            platform=platform,
            overrides=tuple((name, self.environ[name]) for name in said),
            strict=self.configuration.strict,
            with_pip=self.configuration.with_pip,
            network=self.configuration.network,
            folder=str(cache / "conda" / "channels"),
            as_of=resolving.as_of,
            refresh=resolving.refresh,
        )

    def tiers(self, named: Sequence[str], specifications: Iterable[str] = ()) -> tuple[Tier, ...]:
        """Where packages come from, the first with the greatest say.

        Configured channels follow those that a file names, unless it says `nodefaults`; where nobody names
        any, there are conda's `defaults`. The channels of single packages come last.
        """
        own = [name for name in named if name != "nodefaults"]
        configured = () if "nodefaults" in named else self.configuration.channels
        wanted = dict.fromkeys((*own, *configured)) or {"defaults": None}
        single = (split(text)[0] for text in specifications)
        tiers = [self.tier(name) for name in (*wanted, *filter(None, single))]
        return tuple({tier.urls: tier for tier in tiers}.values())

    def tier(self, name: str) -> Tier:
        """The channel, or the channels, that a name, a URL or a path stands for."""
        name = expanded(name.strip(), self.environ)
        groups = dict(self.configuration.groups)
        if name == "defaults":
            return Tier(name, tuple(map(self._url, self.configuration.default_channels)))
        if name in groups:
            return Tier(name, tuple(map(self._url, groups[name])))
        return Tier(name, (self._url(name),))

    def specification(self, text: str) -> str:
        """A package as it was asked for, with its channel as a URL, or by its name where it is several."""
        channel, rest = split(text)
        if channel is None:
            return text
        tier = self.tier(channel)
        return f"{tier.urls[0] if len(tier.urls) == 1 else tier.name}::{rest}"

    def _url(self, name: str) -> str:
        name = expanded(name.strip(), self.environ)
        if "://" in name:
            return _PLATFORM.sub("", name.rstrip("/"))
        if name.startswith((".", "/", "~")):
            return Path(os.path.normpath(self.folder / os.path.expanduser(name))).as_uri()
        name = _PLATFORM.sub("", name)
        for url in self.configuration.default_channels:
            if name.startswith("pkgs/") and url.rstrip("/").endswith(f"/{name}"):
                return self._url(url)
        top = max(
            (top for top, _ in self.configuration.custom if f"{name}/".startswith(f"{top}/")),
            key=len,
            default=None,
        )
        under = self.configuration.alias if top is None else dict(self.configuration.custom)[top]
        return f"{self._url(under)}/{quote(name)}"


def platform_here() -> str:
    """This machine in conda's words, such as `linux-64`."""
    machine = os.uname().machine.lower()
    system = "osx" if sys.platform == "darwin" else "linux"
    return f"{system}-{_MACHINES.get(machine, machine)}"
