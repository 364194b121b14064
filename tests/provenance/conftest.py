"""An observer with a cache of its own, and shortcuts for looking at a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlproj.model.events import Event, Note
from mlproj.model.source import Checkout, Snapshot, SourceState
from mlproj.ports import SnapshotRules
from mlproj.provenance.observer import Observer


@dataclass(kw_only=True)
class Look:
    """Looks at folders, and keeps what was told meanwhile."""

    observer: Observer
    cache: Path
    events: list[Event] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None

    def __call__(
        self,
        directory: Path,
        rules: SnapshotRules | None = None,
        *,
        root: Path | None = None,
        own: bool = False,
    ) -> tuple[SourceState, Snapshot]:
        checkout = Checkout(directory=directory, root=root or directory, uri=str(directory), own=own)
        self.before()
        seen = self.observer.source(checkout, rules or SnapshotRules(), self.events.append)
        self.after()
        return seen

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Note)]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    cache = tmp_path / "stat cache"
    return Look(observer=Observer(cache, {**os.environ}), cache=cache)


def wait_until_old(path: Path) -> None:
    """Waits until the cache trusts `path`: only time makes `ctime` older."""
    newest = max(max(p.lstat().st_mtime, p.lstat().st_ctime) for p in (path, *path.rglob("*")))
    time.sleep(max(0.0, newest + 2.1 - time.time()))


def paths(snapshot: Snapshot) -> list[str]:
    return [file.path for file in snapshot.files]


def omitted(snapshot: Snapshot) -> dict[str, str]:
    return {file.path: file.reason for file in snapshot.omitted}
