"""Everything that serves `Tracking`, each empty and new, for the contracts that all of them keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.tracking_ports import Tracking

TRACKINGS: dict[str, Callable[[Path], Tracking]] = {
    "folder": lambda path: open_tracking(open_store(path / ".mlproj", create=True)),
}
