"""Temporary trees: a folder of a run's own that is gone at its end, and after a crash at the next look."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mlproj.errors import SourceError
from mlproj.files import locked, locked_now

_YOUNG = 60.0
"""Seconds in which a new tree's owner gets its lock, whatever else the machine does."""


@contextlib.contextmanager
def temporary_tree(folder: Path) -> Iterator[Path]:
    """A new empty folder inside `folder`, removed when the `with` ends, however it ends.

    Trees that a killed process left in `folder` go first. Raises SourceError where none can be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(folder)
        home = Path(tempfile.mkdtemp(prefix="tree-", dir=folder))
    except OSError as error:
        raise SourceError(
            f"cannot make a folder in `{folder}`: {error.strerror}",
            hint="set `MLPROJ_CACHE_DIR` to a folder that you may write to",
        ) from error
    try:
        with locked(home / "lock"):
            tree = home / "tree"
            tree.mkdir()
            yield tree
    finally:
        remove(home)


def remove(folder: Path) -> None:
    """Removes a folder with all that is in it, folders without write permission included."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for parent, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                os.chmod(parent, stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for home in folder.glob("tree-*"):
        # a young tree, or one without its lock file, may just be being made or removed by its owner
        with contextlib.suppress(OSError):
            if time.time() - (home / "lock").stat().st_mtime > _YOUNG:
                with locked_now(home / "lock") as abandoned:
                    if abandoned:
                        remove(home)
