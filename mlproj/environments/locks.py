"""Keeps what was resolved, so that the same specification means the same packages until it changes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mlproj.files import locked, write_atomically
from mlproj.model.environment import Lock


def read_lock(path: Path) -> Lock | None:
    """The lock in a file of the cache, None where it holds none."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=Lock)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockCache:
    """Locks by the digest of what they were resolved from."""

    folder: Path

    def get(self, specification: str) -> Lock | None:
        """The lock that is kept, if one is; that it was wanted is noted by the time of its file."""
        path = self._path(specification)
        lock = read_lock(path)
        if lock is not None:
            with contextlib.suppress(OSError):
                os.utime(path)
        return lock

    def get_or_resolve(self, specification: str, resolve: Callable[[], Lock], *, refresh: bool) -> Lock:
        """The lock that is kept, else the one that `resolve` returns, which is kept from then on.

        Of many processes that ask at once one resolves. What `resolve` raises is passed on.
        """
        kept = None if refresh else self.get(specification)
        if kept is not None:
            return kept
        with locked(self._path(specification).with_suffix(".lock")):
            kept = None if refresh else self.get(specification)
            if kept is None:
                kept = resolve()
                write_atomically(self._path(specification), msgspec.json.encode(kept))
        return kept

    def _path(self, specification: str) -> Path:
        return self.folder / f"{specification}.json"
