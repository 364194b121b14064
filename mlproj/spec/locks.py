"""Lock files as they are written: `pylock.toml` (PEP 751), `uv.lock`, and a list of what is installed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mlproj.errors import one_line
from mlproj.model.environment import EDITABLE, LOCAL, Lock, LockedPackage
from mlproj.spec import toml
from mlproj.spec.conda_lock import conda_packages, parted
from mlproj.spec.requirements import normalized


class Unreadable(ValueError):
    """The text is no lock file that can be used; the message, a line, says why."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class _Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A table of a lock file, of which we read these keys and pass over all others."""


class Artifact(_Table, frozen=True, kw_only=True):
    """A wheel or an archive: one that is on this machine has a `path`, one from an index may tell since when
    it is there."""

    name: str | None = None
    url: str | None = None
    path: str | None = None
    hashes: dict[str, str] = {}
    upload_time: object = None


class Folder(_Table, frozen=True, kw_only=True):
    """A package's source on this machine."""

    path: str
    editable: bool = False


class Repository(_Table, frozen=True, kw_only=True):
    """A package's source in a repository, at one commit."""

    type: str
    commit_id: str


class Package(_Table, frozen=True, kw_only=True):
    """A package as PEP 751 has it."""

    name: str
    version: str = ""
    marker: str | None = None
    directory: Folder | None = None
    vcs: Repository | None = None
    archive: Artifact | None = None
    sdist: Artifact | None = None
    wheels: tuple[Artifact, ...] = ()

    @property
    def shown_version(self) -> str:
        """Its version, or what stands for one where it is a folder."""
        if self.directory is None:
            return self.version
        return EDITABLE if self.directory.editable else LOCAL


class Pylock(_Table, frozen=True, kw_only=True):
    """A lock file in the notation of PEP 751."""

    lock_version: str
    requires_python: str | None = None
    packages: tuple[Package, ...] = ()


class _UvPackage(_Table, frozen=True, kw_only=True):
    name: str
    version: str = ""


class _UvLock(_Table, frozen=True, kw_only=True):
    package: tuple[_UvPackage, ...] = ()


def parse_pylock(text: bytes) -> Pylock:
    """The lock that `text` holds. Raises Unreadable, also for a version of the notation that is not ours."""
    try:
        pylock = toml.decode(text, Pylock)
    except msgspec.ValidationError as error:
        raise Unreadable(f"it is not as PEP 751 says: {error}") from error
    except ValueError as error:
        raise Unreadable(f"it is no TOML: {error}") from error
    if pylock.lock_version.split(".")[0] != "1":
        raise Unreadable(f"its `lock-version` is {pylock.lock_version!r}, and this version reads 1.0")
    return pylock


def packages_in(text: bytes, lock_format: str | None) -> tuple[LockedPackage, ...]:
    """Names and versions of all packages in a lock of a `Lock.format`. Raises Unreadable."""
    match lock_format:
        case "installed":
            return tuple(_installed(text.decode("utf-8", "replace")))
        case "conda":
            return tuple(_of_conda(text.decode("utf-8", "replace")))
        case "uv":
            return tuple(_locked(package.name, package.version) for package in _parse_uv(text).package)
        case _:
            packages = parse_pylock(text).packages
            return tuple(_locked(package.name, package.shown_version) for package in packages)


def installed_lock(packages: Iterable[LockedPackage]) -> Lock:
    """The lock of an environment that is not ours: a line `name==version` for each package in it."""
    found = tuple(packages)
    text = "".join(f"{package.name}=={package.version}\n" for package in found)
    return Lock(format="installed", packages=found, text=text.encode("utf-8", "surrogateescape"))


def _parse_uv(text: bytes) -> _UvLock:
    try:
        return toml.decode(text, _UvLock)
    except ValueError as error:
        raise Unreadable(f"it is no lock file of uv: {error}") from error


def _installed(text: str) -> Iterable[LockedPackage]:
    for line in text.splitlines():
        name, _, version = line.partition("==")
        if name.strip():
            yield _locked(name.strip(), version.strip())


def _of_conda(text: str) -> Iterable[LockedPackage]:
    try:
        parts = parted(text)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    yield from (LockedPackage(name=name, version=version) for name, version in conda_packages(parts.conda))
    if parts.pylock is not None:
        packages = parse_pylock(parts.pylock.encode()).packages
        yield from (_locked(package.name, package.shown_version) for package in packages)


def _locked(name: str, version: str) -> LockedPackage:
    return LockedPackage(name=normalized(name), version=version)
