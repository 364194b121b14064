"""Reads lock files in the notation of PEP 751: which packages they mean for one Python on this machine."""

from __future__ import annotations

import sys
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

from mlproj.environments.requirements import EDITABLE, LOCAL, LocalPackage, content_of
from mlproj.environments.system import normalized
from mlproj.files import digest_of
from mlproj.model.environment import Interpreter, LockedPackage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Unreadable(ValueError):
    """The text is no lock file that can be used here; the message says why."""


@dataclass(frozen=True)
class Target:
    """The Python that a lock is read for."""

    python: Interpreter

    @cached_property
    def environment(self) -> dict[str, str]:
        """The values of environment markers there."""
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
            return packaging.markers.Marker(marker).evaluate(
                {**self.environment, "extras": "", "dependency_groups": ""}
            )
        except (ValueError, KeyError):
            return True


def read_pylock(text: bytes, python: Interpreter, project: Path) -> tuple[LockedPackage, ...]:
    """The packages of a lock that belong in an environment of this Python; paths are relative to `project`.

    Each has the hash of the one artifact that is installed here, so that the same packages from another
    index, which holds more files or fewer, are the same lock. Raises Unreadable.
    """
    document = _document(text)
    target = Target(python)
    required = document.get("requires-python")
    if isinstance(required, str) and not _fits(required, python.version):
        raise Unreadable(f"it is for Python {required}, and this is {python.version}")
    packages = document.get("packages", [])
    if not isinstance(packages, list):
        raise Unreadable("`packages` is no list")
    try:
        return tuple(
            _package(package, target, project)
            for package in packages
            if target.applies(package.get("marker"))
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable(f"a package in it is not as PEP 751 says ({error})") from error


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = tomllib.loads(text.decode())
    except ValueError as error:
        raise Unreadable(f"it is no TOML: {error}") from error
    version = document.get("lock-version")
    if not isinstance(version, str) or version.split(".")[0] != "1":
        raise Unreadable(f"its `lock-version` is {version!r}, and this version reads 1.0")
    return document


def _fits(required: str, version: str) -> bool:
    try:
        return bool(packaging.specifiers.SpecifierSet(required).contains(version, prereleases=True))
    except packaging.specifiers.InvalidSpecifier:
        return True


def _package(package: Mapping[str, Any], target: Target, project: Path) -> LockedPackage:
    folder, hashes = package.get("directory"), tuple(_hashes(package, target, project))
    if folder is not None:
        version = EDITABLE if folder.get("editable") else LOCAL
    else:
        version = package.get("version", "")
    return LockedPackage(
        name=normalized(package["name"]), version=version, hashes=hashes, marker=package.get("marker")
    )


def _hashes(package: Mapping[str, Any], target: Target, project: Path) -> list[str]:
    if "vcs" in package:
        return [f"{package['vcs']['type']}:{package['vcs']['commit-id']}"]
    if "directory" in package:
        if package["directory"].get("editable"):
            return []
        folder = project / package["directory"]["path"]
        return [f"sha256:{content_of(LocalPackage(path=folder, editable=False))}"]
    artifact = package.get("archive") or _best(package.get("wheels", []), target) or package.get("sdist")
    return [] if artifact is None else _artifact_hashes(artifact, project)


def _artifact_hashes(artifact: Mapping[str, Any], project: Path) -> list[str]:
    hashes: Mapping[str, str] = artifact.get("hashes") or {}
    if "sha256" in hashes:
        return [f"sha256:{hashes['sha256']}"]
    if hashes:
        return sorted(f"{name}:{value}" for name, value in hashes.items())
    address = urlsplit(artifact.get("url", ""))
    local = artifact.get("path") or (unquote(address.path) if address.scheme == "file" else None)
    if local is None or not (project / local).is_file():
        return []
    return [str(digest_of(project / local)[0])]


def _best(wheels: Sequence[Mapping[str, Any]], target: Target) -> Mapping[str, Any] | None:
    """The wheel that installers take here."""
    if len(wheels) < 2:
        return wheels[0] if wheels else None
    ranked = [(_rank(wheel, target), position) for position, wheel in enumerate(wheels)]
    known = [(rank, position) for rank, position in ranked if rank is not None]
    return wheels[min(known)[1]] if known else None


def _rank(wheel: Mapping[str, Any], target: Target) -> int | None:
    name = wheel.get("name") or unquote(urlsplit(wheel.get("url") or wheel["path"]).path).rsplit("/", 1)[-1]
    try:
        *_, tags = packaging.utils.parse_wheel_filename(name)
    except packaging.utils.InvalidWheelFilename:
        return None
    return min((target.ranks[tag] for tag in tags if tag in target.ranks), default=None)
