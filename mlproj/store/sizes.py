"""How much room a store takes on the disk, and for what."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mlproj.housekeeping_ports import StoreSize
from mlproj.store.database import FILE, database_file
from mlproj.store.founding import WORKSPACES


def size_of(path: Path) -> int:
    """The bytes that a file, or a folder with all in it, takes on the disk. What vanishes counts nothing."""
    with contextlib.suppress(OSError):
        status = path.lstat()
        size = status.st_blocks * 512
        if path.is_dir() and not path.is_symlink():
            with os.scandir(path) as entries:
                size += sum(size_of(Path(entry.path)) for entry in entries)
        return size
    return 0


def measure(root: Path) -> StoreSize:
    """What the store at `root` takes, in bytes."""
    return StoreSize(
        database=measure_database(root),
        blobs=size_of(root / "blobs"),
        workspaces=sum(size_of(root / name) for name in WORKSPACES),
    )


def measure_database(root: Path) -> int:
    """The bytes that the database takes with its journal and the copies made before migrations."""
    file = database_file(root)
    return sum(size_of(path) for path in {*root.glob(f"{FILE}*"), *file.parent.glob(f"{file.name}*")})
