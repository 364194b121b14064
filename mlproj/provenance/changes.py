"""Whether the files of a snapshot are still what they were when it was taken."""

from __future__ import annotations

import sys
from pathlib import Path

from mlproj.model.digest import readable
from mlproj.model.events import silent
from mlproj.model.source import Snapshot
from mlproj.ports import SnapshotRules
from mlproj.provenance.rules import Sieve
from mlproj.provenance.snapshot import take_snapshot


def changed_files(snapshot: Snapshot, cache: Path) -> tuple[str, ...]:
    """The paths of files that have changed (in mode, too) or gone since, as readable text.

    Those that were digested and not held count as well; new files are no change.
    """
    before = {file.path: (file.mode, file.digest) for file in snapshot.files}
    before |= {file.path: (file.mode, file.digest) for file in snapshot.omitted if file.digest is not None}
    paths = [path.encode("utf-8", "surrogateescape") for path in before]
    everything = Sieve(SnapshotRules(size_limit=sys.maxsize), "")
    after = take_snapshot(snapshot.root, paths, {}, everything, cache, silent)
    now = {file.path: (file.mode, file.digest) for file in after.files}
    return tuple(readable(path) for path, was in sorted(before.items()) if now.get(path) != was)
