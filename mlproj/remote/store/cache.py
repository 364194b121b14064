"""Takes copies of contents away that nobody has wanted for days: what they are copies of is at the server."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from mlproj.store_ports import BlobStore

_OLD_S = 7 * 24 * 3600.0
_EVERY_S = 24 * 3600.0
_STAMP, _OPEN = "swept", "open"


def sweep(root: Path, blobs: BlobStore) -> None:
    """Once a day, and only while no run of this machine waits for its server: it may need them yet."""
    stamp, now = root / _STAMP, time.time()
    with contextlib.suppress(OSError):
        if stamp.exists() and stamp.stat().st_mtime > now - _EVERY_S:
            return
        if (root / _OPEN).is_dir() and any((root / _OPEN).iterdir()):
            return
        stamp.touch()
        for digest in tuple(blobs.digests()):
            path = blobs.path(digest)
            if path.stat().st_mtime < now - _OLD_S:
                path.unlink()
