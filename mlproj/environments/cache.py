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
from mlproj.model.events import Ended, Note, Report, Started

_MARKER = "mlproj.json"
_USED = "last-used"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """What an environment was when its build had ended: its base Python, if any, and what lay in its folders.

    A file counts by its size, a folder by being there; both are named relative to the environment.
    """

    base: tuple[str, int, int] | None
    entries: dict[str, dict[str, int]]


def build_once(folder: Path, fill: Callable[[], None], report: Report) -> None:
    """Has a whole environment in `folder`; `fill` makes it where there is none.

    What `fill` raises is passed on, and nothing is left of the attempt.
    """
    if complaint(folder) is not None:
        with locked(folder.with_name(f"{folder.name}.lock")):
            found = complaint(folder)
            if found is not None:
                _build(folder, fill, found, report)
    with contextlib.suppress(OSError):
        os.utime(folder / _USED)


def complaint(folder: Path) -> str | None:
    """What is wrong with the environment in `folder`, None where it is whole. Runs nothing."""
    try:
        built = msgspec.json.decode((folder / _MARKER).read_bytes(), type=_Built)
    except (OSError, msgspec.MsgspecError):
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


def _build(folder: Path, fill: Callable[[], None], found: str, report: Report) -> None:
    if (folder / _MARKER).exists():
        report(Note(message=f"the environment {folder.name} is built anew: {found}"))
    report(Started(stage="create", detail=folder.name))
    _discard(folder)
    try:
        fill()
        (folder / _USED).touch()
        python = folder / "bin" / "python"
        built = _Built(
            base=stamp_of(python) if os.path.lexists(python) else None,
            entries={str(path.relative_to(folder)): _entries(path) for path in _telling(folder)},
        )
        write_atomically(folder / _MARKER, msgspec.json.encode(built))
    except BaseException:
        _discard(folder)
        raise
    report(Ended(stage="create", detail=folder.name))


def _discard(folder: Path) -> None:
    """Takes a folder away at once, so that nobody takes it for an environment while it is being removed."""
    for leftover in folder.parent.glob(f".discarded-{folder.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if os.path.lexists(folder):
        aside = Path(tempfile.mkdtemp(prefix=f".discarded-{folder.name}-", dir=folder.parent))
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
