"""Solves a request with rattler: names and versions become exact packages with hashes, in its lock file."""

from __future__ import annotations

import asyncio
import datetime
import tempfile
from collections.abc import Iterable
from pathlib import Path

import rattler

from mlproj.environments.conda.addresses import public
from mlproj.environments.conda.failures import translated
from mlproj.environments.conda.network import client, rattler_config
from mlproj.environments.conda.orders import Reading, Solving, Tier
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Lock, LockedPackage

ENVIRONMENT = "default"
"""What the environment is called in a lock file that could hold several."""


def solve(request: Solving) -> Lock:
    """The lock of what was asked for. Raises EnvironmentFailed with the solver's explanation."""
    packages = [
        _specification(text, asked, request)
        for text, asked in zip(request.packages, request.asked, strict=True)
    ]
    machine = _machine(request)
    what = f"the packages of `{request.file}` cannot be looked up"
    names = tuple(tier.name for tier in request.tiers)
    with translated(what, request.file, request.origins, names):
        records = asyncio.run(_solved(request, packages, machine))
    return _lock(request, records, machine)


def packages_of(records: Iterable[rattler.RepoDataRecord]) -> tuple[LockedPackage, ...]:
    """What a lock names: each package with its version and build, and the hash of its archive."""
    return tuple(
        LockedPackage(
            name=record.name.normalized,
            version=f"{record.version}={record.build}",
            hashes=_hashes(record),
        )
        for record in sorted(records, key=lambda record: record.name.normalized)
    )


def read(order: Reading) -> Lock:
    """The packages of a lock file. Raises EnvironmentFailed where it cannot be read or has none for us."""
    with translated("it cannot be read", "conda.lock", ()):
        records = locked_records(order.lock, order.platform)
    if records is None:
        raise EnvironmentFailed(f"it holds nothing for `{order.platform}`")
    return Lock(format="conda", packages=packages_of(records), text=order.lock.encode())


def locked_records(text: str, platform: str) -> list[rattler.RepoDataRecord] | None:
    """The packages that a lock file has for a platform, None where it has none for that.

    Raises rattler's errors; a panic of its code, too, for a file that is odd enough.
    """
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        path = Path(folder, "conda.lock")
        path.write_text(text, encoding="utf-8")
        lock_file = rattler.LockFile.from_path(path)
    environment = lock_file.environment(ENVIRONMENT)
    if environment is None:
        return None
    # A platform for which there is nothing to be had is named among all platforms alone.
    for known in environment.platforms() or lock_file.platforms():
        if str(known.subdir) == platform:
            return environment.conda_repodata_records_for_platform(known) or []
    return None


def _specification(text: str, asked: str, request: Solving) -> rattler.MatchSpec:
    try:
        return rattler.MatchSpec(text, strict=False)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise EnvironmentFailed(
            f"`{public(asked)}` in `{request.file}` is no conda package: {public(reason)}",
            hint="write `name`, `name=1.2`, `name>=1.2,<2`, `name=1.2=build` or `channel::name`",
        ) from None


def _machine(request: Solving) -> list[rattler.VirtualPackage]:
    """What stands for the machine (`__glibc`, `__cuda`) among the packages."""
    kinds = {"osx": "OSX", "libc": "GLIBC", "cuda": "CUDA", "archspec": "ARCHSPEC"}
    said = dict(request.overrides)
    overrides = {
        kind: rattler.Override.string(said[f"CONDA_OVERRIDE_{name}"])
        for kind, name in kinds.items()
        if f"CONDA_OVERRIDE_{name}" in said
    }
    with translated("what this machine is cannot be told", request.file, ()):
        return rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides(**overrides))


async def _solved(
    request: Solving, packages: list[rattler.MatchSpec], machine: list[rattler.VirtualPackage]
) -> list[rattler.RepoDataRecord]:
    config = rattler_config(request.network)
    gateway = rattler.Gateway(
        cache_dir=Path(request.folder),
        default_config=rattler.SourceConfig(cache_action="no-cache" if request.refresh else "cache-or-fetch"),
        client=client(config),
    )
    priority = rattler.ChannelPriority.Strict if request.strict else rattler.ChannelPriority.Disabled
    return await rattler.solve(
        [_source(tier) for tier in request.tiers],
        packages,
        gateway=gateway,
        virtual_packages=machine,
        locked_packages=(locked_records(request.kept, request.platform) or None) if request.kept else None,
        channel_priority=priority,
        exclude_newer=_instant(request.as_of),
        # What one channel says of others would bring packages that the file names no channel for.
        channel_relations="disabled",
        add_pip_as_python_dependency=request.with_pip,
    )


def _source(tier: Tier) -> rattler.Channel | rattler.MultiSource:
    channels = [rattler.Channel(url) for url in tier.urls]
    return channels[0] if len(channels) == 1 else rattler.MultiSource(tier.name, channels)


def _instant(as_of: str | None) -> datetime.datetime | None:
    """The instant, in UTC, which rattler takes every one for."""
    if as_of is None:
        return None
    return datetime.datetime.fromisoformat(as_of.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)


def _lock(
    request: Solving, records: list[rattler.RepoDataRecord], machine: list[rattler.VirtualPackage]
) -> Lock:
    platform = rattler.LockPlatform(request.platform, virtual_packages=sorted(map(_named, machine)))
    lock_file = rattler.LockFile([platform])
    urls = [url for tier in request.tiers for url in tier.urls]
    lock_file.set_channels(ENVIRONMENT, [rattler.LockChannel(public(url)) for url in urls])
    for record in records:
        channel = next((url for url in urls if record.url.startswith(f"{url.rstrip('/')}/")), None)
        record.url = public(record.url)
        if channel is not None:
            record.channel = public(channel)
        lock_file.add_conda_package(ENVIRONMENT, platform, record)
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        path = Path(folder, "conda.lock")
        lock_file.to_path(path)
        return Lock(format="conda", packages=packages_of(records), text=path.read_bytes())


def _named(machine: rattler.VirtualPackage) -> str:
    generic = machine.into_generic()
    return f"{generic.name.normalized}={generic.version}={generic.build_string}"


def _hashes(record: rattler.RepoDataRecord) -> tuple[str, ...]:
    if record.sha256 is not None:
        return (f"sha256:{record.sha256.hex()}",)
    return () if record.md5 is None else (f"md5:{record.md5.hex()}",)
