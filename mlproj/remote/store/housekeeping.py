"""Forgetting and tidying at a server, for those whom it lets do that."""

from __future__ import annotations

from collections.abc import Collection

from mlproj import store_wire as wire
from mlproj.housekeeping_ports import GRACE_S, Garbage, Removed, StoreSize
from mlproj.remote.store.blobs import FarBlobs
from mlproj.remote.store.line import Line


class FarHousekeeper:
    """The `Housekeeper` of a server."""

    def __init__(self, line: Line, blobs: FarBlobs) -> None:
        self._line = line
        self._blobs = blobs

    def forget(self, run_ids: Collection[str], *, who: str, why: str) -> None:
        self._line.ask(wire.FORGET, wire.Forget(run_ids=tuple(run_ids), who=who, why=why))

    def needed(self) -> frozenset[str]:
        return frozenset(self._line.ask(wire.NEEDED, wire.Asked()))

    def garbage(self, *, without: Collection[str] = (), grace_s: float = GRACE_S) -> Garbage:
        found: Garbage = self._line.ask(wire.GARBAGE, wire.Sweep(without=tuple(without), grace_s=grace_s))
        return found

    def remove(self, garbage: Garbage) -> Removed:
        removed: Removed = self._line.ask(wire.REMOVE, wire.Refuse(garbage=garbage))
        self._blobs.forget_what_is_there()
        return removed

    def size(self) -> StoreSize:
        size: StoreSize = self._line.ask(wire.SIZE, wire.Asked())
        return size
