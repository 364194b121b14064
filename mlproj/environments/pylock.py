"""Reads lock files in the notation of PEP 751: which packages they mean for one Python on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import packaging.markers
import packaging.specifiers
import packaging.tags
import packaging.utils

from mlproj.environments.requirements import LocalPackage, content_of
from mlproj.files import digest_of
from mlproj.model.environment import Interpreter, LockedPackage
from mlproj.spec.locks import Artifact, Package, Unreadable, parse_pylock
from mlproj.spec.requirements import normalized


@dataclass(frozen=True)
class Target:
    """The Python that a lock is read for."""

    python: Interpreter

    @cached_property
    def environment(self) -> dict[str, str]:
        """The values of environment markers there; extras and groups are what a lock's context says: none."""
        here: dict[str, Any] = {**packaging.markers.default_environment()}
        names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}
        implementation = self.python.implementation
        return here | {
            "python_version": ".".join(self.python.version.split(".")[:2]),
            "python_full_version": self.python.version,
            "implementation_name": implementation,
            "implementation_version": self.python.version,
            "platform_python_implementation": names.get(implementation, implementation),
        }

    @cached_property
    def ranks(self) -> Mapping[packaging.tags.Tag, int]:
        """The wheels it takes, the best first."""
        version = tuple(int(part) for part in self.python.version.split(".")[:2])
        platforms = list(packaging.tags.platform_tags())
        if self.python.implementation == "cpython":
            own = [*packaging.tags.cpython_tags(version, platforms=platforms)]
            interpreter: str | None = f"cp{version[0]}{version[1]}"
        else:
            own, interpreter = [], None
        general = packaging.tags.compatible_tags(version, interpreter, platforms)
        return {tag: rank for rank, tag in enumerate((*own, *general))}

    def applies(self, marker: str | None) -> bool:
        """Whether a package with this marker belongs in an environment here; doubt counts as yes."""
        if marker is None:
            return True
        try:
            return packaging.markers.Marker(marker).evaluate(self.environment, context="lock_file")
        except (ValueError, KeyError, RecursionError):
            return True


def read_pylock(text: bytes, python: Interpreter, project: Path) -> tuple[LockedPackage, ...]:
    """The packages of a lock that belong in an environment of this Python; paths are relative to `project`.

    Each has the hash of the one artifact that is installed here, so that the same packages from another
    index, which holds more files or fewer, are the same lock. Raises Unreadable.
    """
    pylock = parse_pylock(text)
    required = pylock.requires_python
    if required is not None and not _fits(required, python.version):
        raise Unreadable(f"it is for Python {required}, and this is {python.version}")
    target = Target(python)
    return tuple(
        LockedPackage(
            name=normalized(package.name),
            version=package.shown_version,
            hashes=tuple(_hashes(package, target, project)),
            marker=package.marker,
        )
        for package in pylock.packages
        if target.applies(package.marker)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The file that a package is installed from: where it is, relative to the project if it is a path, and
    its hash as the lock has it. `as_source` says that it has to be built first."""

    package: str
    name: str
    place: str
    sha256: str | None
    as_source: bool


def wanted_files(text: bytes, python: Interpreter) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
    """The files that an environment of this Python is installed from on this machine, and the names of the
    packages that come of a folder or a repository, which are no files. Raises Unreadable."""
    target = Target(python)
    files, others = [], []
    for package in parse_pylock(text).packages:
        if target.applies(package.marker):
            artifact = None if package.vcs or package.directory else _chosen(package, target)
            if artifact is None:
                others.append(package.name)
            else:
                place = artifact.url or artifact.path or ""
                name = artifact.name or _path(place).rsplit("/", 1)[-1]
                sha256, as_source = artifact.hashes.get("sha256"), artifact not in package.wheels
                files.append(
                    Wanted(package=package.name, name=name, place=place, sha256=sha256, as_source=as_source)
                )
    return tuple(files), tuple(others)


def _chosen(package: Package, target: Target) -> Artifact | None:
    return package.archive or _best(package.wheels, target) or package.sdist


def _fits(required: str, version: str) -> bool:
    try:
        return bool(packaging.specifiers.SpecifierSet(required).contains(version, prereleases=True))
    except packaging.specifiers.InvalidSpecifier:
        return True


def _hashes(package: Package, target: Target, project: Path) -> list[str]:
    if package.vcs is not None:
        return [f"{package.vcs.type}:{package.vcs.commit_id}"]
    if package.directory is not None:
        if package.directory.editable:
            return []
        folder = LocalPackage(path=project / package.directory.path, editable=False)
        return [f"sha256:{content_of(folder)}"]
    artifact = _chosen(package, target)
    return [] if artifact is None else _artifact_hashes(artifact, project)


def _artifact_hashes(artifact: Artifact, project: Path) -> list[str]:
    if "sha256" in artifact.hashes:
        return [f"sha256:{artifact.hashes['sha256']}"]
    if artifact.hashes:
        return sorted(f"{name}:{value}" for name, value in artifact.hashes.items())
    url = artifact.url or ""
    local = artifact.path or (_path(url) if url.startswith("file:") else None)
    if local is None or not os.path.isfile(project / local):
        return []
    return [str(digest_of(project / local)[0])]


def _path(url: str) -> str:
    """The path in a URL. Raises Unreadable."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError as error:
        raise Unreadable(f"`{url}` is no address: {error}") from error


def _best(wheels: Sequence[Artifact], target: Target) -> Artifact | None:
    """The wheel that installers take here."""
    if len(wheels) < 2:
        return wheels[0] if wheels else None
    ranked = [(_rank(wheel, target), position) for position, wheel in enumerate(wheels)]
    known = [(rank, position) for rank, position in ranked if rank is not None]
    return wheels[min(known)[1]] if known else None


def _rank(wheel: Artifact, target: Target) -> int | None:
    name = wheel.name or _path(wheel.url or wheel.path or "").rsplit("/", 1)[-1]
    try:
        *_, tags = packaging.utils.parse_wheel_filename(name)
    except packaging.utils.InvalidWheelFilename:
        return None
    return min((target.ranks[tag] for tag in tags if tag in target.ranks), default=None)
