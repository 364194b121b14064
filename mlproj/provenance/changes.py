"""Whether the files of a snapshot are still what they were when it was taken."""

from __future__ import annotations

from pathlib import Path

from mlproj.model.digest import readable
from mlproj.model.events import silent
from mlproj.model.source import Snapshot
from mlproj.provenance.snapshot import contents


def changed_files(snapshot: Snapshot, cache: Path) -> tuple[str, ...]:
    """The paths of files that have changed (in mode, too) or gone since, as readable text.

    Those that were digested and not held count as well; new files are no change.
    """
    before = {_raw(file.path): (file.mode, file.digest) for file in snapshot.read}
    for found in contents(snapshot.root, [before], cache, silent):
        for path, mode, digest, _ in found.rows:
            if before[path] == (mode, f"sha256:{digest.hex()}"):
                del before[path]
    return tuple(readable(path) for path in sorted(before))


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
