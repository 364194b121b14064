"""Which containers somebody watches over: a file for each, locked as long as its runner lives."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mlproj.files import locked, locked_now


@contextlib.contextmanager
def watching(folder: Path, name: str) -> Iterator[Path]:
    """The file of a container, for the length of the `with`. It is there only once it is locked, so that
    nobody takes it for one that was left."""
    place, aside = folder / name, folder / f".{name}"
    with locked(aside):
        os.rename(aside, place)
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)


def is_watched(place: Path) -> bool:
    """Whether the runner of the container that has this file is alive."""
    if not place.is_file():
        return False
    with locked_now(place) as free:
        return not free


def left(folder: Path) -> tuple[Path, ...]:
    """The files whose runners were killed; looking costs next to nothing where there are none."""
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    places = (folder / name for name in sorted(names) if not name.startswith("."))
    return tuple(place for place in places if not is_watched(place))
