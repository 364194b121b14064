"""Builds an environment once, however many ask, and notices one that is not as it was built.

Its scripts name its folder, so it is built in the folder where it stays, under a lock, and a marker is
written last: a folder without one is a build that was cut short, and is built anew.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlproj.environments.probing import stamp_of
from mlproj.files import locked, write_atomically
from mlproj.model.environment import LockedEnvironment
from mlproj.model.events import Ended, Note, Report, Started

MARKER = "mlproj.json"
USED = "last-used"
DISCARDED = ".discarded-"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a list of environments tells of one: its `LockedEnvironment.kind`, the version of its Python, the
    digest of its lock, how many packages that names, and of an image the bytes that the engine has of it."""

    kind: str
    python: str | None = None
    lock: str | None = None
    packages: int = 0
    image_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What an environment was when its build had ended: its base Python, if any, and what lay in its folders.

    A file counts by its size, a folder by being there; both are named relative to the environment. Those
    that earlier versions built are not described.
    """

    base: tuple[str, int, int] | None
    entries: dict[str, dict[str, int]]
    about: About | None = None


def about(locked: LockedEnvironment) -> About:
    """The description of an environment that is built of what was locked."""
    return About(
        kind=locked.kind,
        python=None if locked.python is None else locked.python.version,
        lock=None if locked.lock is None else str(locked.lock.digest),
        packages=0 if locked.lock is None else len(locked.lock.packages),
    )


def read_marker(folder: Path) -> Built | None:
    """What was noted when the build of `folder` had ended, None where it never did."""
    try:
        return msgspec.json.decode((folder / MARKER).read_bytes(), type=Built)
    except (OSError, msgspec.MsgspecError):
        return None


def build_once(
    folder: Path, fill: Callable[[], None], report: Report, description: About | None = None
) -> None:
    """Has a whole environment in `folder`; `fill` makes it where there is none.

    It is listed as `description` says. What `fill` raises is passed on, and nothing is left of the attempt.
    """
    if complaint(folder) is not None:
        with locked(folder.with_name(f"{folder.name}.lock")):
            found = complaint(folder)
            if found is not None:
                _build(folder, fill, found, report, description)
    with contextlib.suppress(OSError):
        os.utime(folder / USED)


def complaint(folder: Path) -> str | None:
    """What is wrong with the environment in `folder`, None where it is whole. Runs nothing."""
    built = read_marker(folder)
    if built is None:
        return "it is not complete"
    try:
        if built.base is not None and stamp_of(folder / "bin" / "python") != built.base:
            return "its Python was replaced"
        for name, entries in built.entries.items():
            changed = _difference(entries, _entries(folder / name))
            if changed is not None:
                return f"`{name}/{changed}` is not as it was built"
    except OSError as error:
        return f"`{error.filename}` is missing"
    return None


def _build(
    folder: Path, fill: Callable[[], None], found: str, report: Report, description: About | None
) -> None:
    if (folder / MARKER).exists():
        report(Note(message=f"the environment {folder.name} is built anew: {found}"))
    report(Started(stage="create", detail=folder.name))
    discard(folder)
    try:
        fill()
        (folder / USED).touch()
        python = folder / "bin" / "python"
        built = Built(
            base=stamp_of(python) if os.path.lexists(python) else None,
            entries={str(path.relative_to(folder)): _entries(path) for path in _telling(folder)},
            about=description,
        )
        write_atomically(folder / MARKER, msgspec.json.encode(built))
    except BaseException:
        discard(folder)
        raise
    report(Ended(stage="create", detail=folder.name))


def discard(folder: Path) -> None:
    """Takes a folder away at once, so that nobody takes it for an environment while it is being removed."""
    for leftover in folder.parent.glob(f"{DISCARDED}{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if os.path.lexists(folder):
        aside = Path(tempfile.mkdtemp(prefix=f"{DISCARDED}{folder.name}-", dir=folder.parent))
        os.rename(folder, aside / "environment")
        shutil.rmtree(aside, ignore_errors=True)


def _telling(folder: Path) -> tuple[Path, ...]:
    """The folders by whose entries a change is noticed."""
    own = (folder / name for name in ("bin", "lib", "conda-meta"))
    return (*filter(Path.is_dir, own), *folder.glob("lib/python*/site-packages"))


def _entries(folder: Path) -> dict[str, int]:
    """What lies in a folder: sizes of files, -1 for folders. What Python adds by itself does not count."""
    with os.scandir(folder) as entries:
        return {
            entry.name: -1 if entry.is_dir() else _size(entry)
            for entry in entries
            if entry.name != "__pycache__"
        }


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return -2  # a link to nothing, of which some packages have one


def _difference(built: dict[str, int], now: dict[str, int]) -> str | None:
    """The first name that changed or is gone, or a distribution that somebody installed afterwards."""
    for name, size in built.items():
        if now.get(name) != size:
            return name
    return next((name for name in now if name.endswith("-info") and name not in built), None)
