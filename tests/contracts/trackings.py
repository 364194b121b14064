"""Everything that serves `Tracking`, each empty and new, for the contracts that all of them keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mlproj.store.opening import open_served_store, open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.tracking_ports import Tracking
from tests.databases import KINDS, new_uri


def _at_a_server(kind: str, path: Path) -> Tracking:
    return open_tracking(open_served_store(new_uri(kind), path / ".mlproj", create=True))


TRACKINGS: dict[str, Callable[[Path], Tracking]] = {
    "folder": lambda path: open_tracking(open_store(path / ".mlproj", create=True)),
    **{kind: partial(_at_a_server, kind) for kind in KINDS},
}
