"""A conda environment's lock as one text: rattler's lock file, and under a key of ours what that cannot hold.

version: 7                      what rattler writes, and what it and pixi read
...
mlproj:
  variables: {"NAME": "value"}  of the environment's file
  pylock: |2                    the `pip:` list, locked (PEP 751)
    lock-version = "1.0"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mlproj.model.environment import Interpreter, Lock

COMMITTED = "conda.lock"
"""The name of a lock that its author keeps beside the environment's file."""

_OURS = re.compile(
    r"^mlproj:\n(?:  variables: (?P<variables>\{.*\})\n)?(?:  pylock: \|2\n(?P<pylock>(?:    .*\n|\n)*))?",
    re.M,
)


_ARCHIVE = re.compile(r"^- conda: (?:.*/)?([^/\n]+)\.(?:conda|tar\.bz2)$", re.MULTILINE)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """`conda` is rattler's lock file; without a `pip:` list there is no `pylock`."""

    conda: str
    pylock: str | None = None
    variables: tuple[tuple[str, str], ...] = ()

    def joined(self) -> str:
        """The one text."""
        lines = []
        if self.variables:
            lines.append(f"  variables: {json.dumps(dict(self.variables))}\n")
        if self.pylock is not None:
            indented = (
                f"    {line}\n" if line else "\n" for line in self.pylock.removesuffix("\n").split("\n")
            )
            lines += ["  pylock: |2\n", *indented]
        return f"{self.conda}mlproj:\n{''.join(lines)}" if lines else self.conda


def parted(text: str) -> Parts:
    """What a text holds that was joined. Raises ValueError where our part of it is none of ours."""
    found = _OURS.search(text)
    if found is None:
        return Parts(conda=text)
    pylock = found["pylock"]
    try:
        variables = msgspec.json.decode(found["variables"] or "{}", type=dict[str, str])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its variables cannot be read: {error}") from error
    return Parts(
        conda=text[: found.start()] + text[found.end() :],
        pylock=None if pylock is None else re.sub(r"^    ", "", pylock, flags=re.M),
        variables=tuple(variables.items()),
    )


def conda_packages(text: str) -> Iterator[tuple[str, str]]:
    """Names and versions (with builds) of what rattler's lock file has, by the names of the archives."""
    _, _, listing = text.partition("\npackages:\n")
    for file in _ARCHIVE.findall(listing):
        name, *rest = file.rsplit("-", 2)
        yield name, "=".join(rest)


def combined(base: Lock, pylock: Lock, variables: tuple[tuple[str, str], ...]) -> Lock:
    """The lock of the whole environment: conda's packages, whose versions have builds, and the list's."""
    parts = msgspec.structs.replace(
        parted(base.text.decode()), pylock=pylock.text.decode(), variables=variables
    )
    packages = sorted((*base.packages, *pylock.packages), key=lambda package: (package.name, package.version))
    return Lock(format="conda", packages=tuple(packages), text=parts.joined().encode())


def with_variables(lock: Lock, variables: tuple[tuple[str, str], ...]) -> Lock:
    """The lock with these variables in place of those it may hold."""
    parts = parted(lock.text.decode())
    if parts.variables == variables:
        return lock
    text = msgspec.structs.replace(parts, variables=variables).joined()
    return msgspec.structs.replace(lock, text=text.encode())


def interpreter(lock: Lock, folder: Path) -> Interpreter | None:
    """The Python that conda puts into the environment in `folder`, None where it puts in none."""
    for package in lock.packages:
        version, equals, build = package.version.partition("=")
        if package.name == "python" and equals:
            return Interpreter(
                executable=folder / "bin" / "python",
                version=version,
                implementation="pypy" if "pypy" in build else "cpython",
                because="conda brings it",
            )
    return None
