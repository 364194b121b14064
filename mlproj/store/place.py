"""A store as those have it who seal runs in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mlproj.model.events import Report, silent
from mlproj.store.connection import Connection
from mlproj.store.contained import KeptBlobs


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The database and the contents of the store at `root`, and whom to tell how far the work is."""

    connection: Connection
    root: Path
    blobs: KeptBlobs
    report: Report = silent

    def workspace(self, run_id: str) -> Path:
        """A run's own folder; it need not be there."""
        return self.root / "runs" / run_id
