"""Which files an isolated run could have read itself: by a link that it leaves, it gets at no others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mlproj.model.source import IS_SECRET, Snapshot
from mlproj.services.visible import is_within


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """The places that a run saw, those in them that it did not, and its `own` folder, wherever that lies; all
    without links."""

    seen: tuple[str, ...]
    hidden: tuple[str, ...]
    own: str

    def holds(self, path: Path) -> bool:
        """Whether what is at the path, by whatever links, is something that the run saw."""
        real = os.path.realpath(path)
        if is_within(real, (self.own,)):
            return True
        return is_within(real, self.seen) and not is_within(real, self.hidden)


def fence_of(snapshot: Snapshot, data: Sequence[str], artifacts: Path, store: Path) -> Fence:
    """The fence of a run of a source, whose data is at these paths, and whose own folder `artifacts` lies in
    the store."""
    root = snapshot.root
    secrets = (str(root / file.path) for file in snapshot.omitted if file.reason == IS_SECRET)
    hidden = (str(store), *(path for path in secrets if path not in data))
    return Fence(
        seen=tuple(map(os.path.realpath, (str(root), *data))),
        hidden=tuple(map(os.path.realpath, hidden)),
        own=os.path.realpath(artifacts),
    )
