"""A snapshot: the digest of each file of a source tree, as it lies in the working tree."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import ProjectError
from mlproj.model.digest import readable
from mlproj.model.events import Note, Report
from mlproj.model.source import Snapshot
from mlproj.provenance import rules
from mlproj.provenance.digests import BATCH, Batch, Digesting, Segment, look, remember
from mlproj.provenance.reading import MOVING, SPECIAL, Result, size_in
from mlproj.provenance.rules import Sieve
from mlproj.provenance.shelf import Shelf
from mlproj.provenance.statcache import StatCache

LINK_MODE = 0o120000
_GONE = (errno.ENOENT, errno.ENOTDIR)


class Content(msgspec.Struct, frozen=True, gc=False):
    """A file of a tree, or a symbolic link, which counts by its target's text."""

    path: bytes
    mode: int
    digest: bytes
    size: int


class Trouble(msgspec.Struct, frozen=True):
    """A path whose content nobody knows: special, changing all the time, or unreadable for a `reason`."""

    path: bytes
    kind: str
    reason: str = ""


MOVED = "keeps changing"


def take_snapshot(
    root: Path,
    kept: Iterable[bytes],
    omitted: Mapping[bytes, str],
    sieve: Sieve,
    cache: Path,
    report: Report,
    *,
    untracked: Collection[bytes] = (),
) -> Snapshot:
    """The snapshot of the files `kept` (relative to `root`); deleted ones drop out of it.

    What turns out to be too large, special or unreadable joins those in `omitted`, which come with their
    reasons. Raises ProjectError where a file changes again and again while it is read.
    """
    shelf = Shelf(sieve, untracked)
    for path, reason in omitted.items():
        shelf.omit(path, reason)
    for found in contents(root, sorted(kept), cache, report):
        if isinstance(found, Content):
            shelf.add(found.path, found.mode, found.digest, found.size)
        elif found.kind == MOVED:
            raise ProjectError(
                f"the source keeps changing while it is recorded: `{readable(found.path)}`",
                hint="wait until whatever writes there is done, or have git ignore it",
            )
        else:
            shelf.omit(found.path, found.kind)
            if found.reason:
                report(Note(message=f"`{readable(found.path)}` is not in the snapshot: {found.reason}"))
    held, named = shelf.filled(report)
    return Snapshot(root=root, files=held, omitted=named)


def contents(root: Path, paths: Sequence[bytes], cache: Path, report: Report) -> Iterator[Content | Trouble]:
    """What is at `paths`, which are relative to `root` and sorted; nothing for what is not there any more."""
    aside: list[Content | Trouble] = []

    def odd(place: bytes, path: bytes, found: os.stat_result | OSError) -> None:
        if (what := _odd(place, path, found)) is not None:
            aside.append(what)

    with (
        StatCache(cache, Path(os.path.realpath(root)), purpose="snapshot") as remembered,
        Digesting(report) as digesting,
    ):
        top = os.fsencode(root)
        segments = (Segment(top, b"", list(paths[at : at + BATCH])) for at in range(0, len(paths), BATCH))
        batches = (look(segment, remembered, odd, follow=False) for segment in segments)
        for batch in digesting.in_order(batches):
            remember(batch, remembered)
            yield from _contents(batch)
            yield from aside
            aside.clear()
    yield from aside


def _contents(batch: Batch) -> Iterator[Content | Trouble]:
    for path, status, result in zip(batch.paths, batch.statuses, batch.results, strict=True):
        if isinstance(result, bytes):
            yield Content(path, _mode(status), result, status.st_size)
        elif isinstance(result, tuple):
            yield Content(path, _mode(status), result[0], size_in(result[1]))
        elif (trouble := _trouble(path, result)) is not None:
            yield trouble


def _trouble(path: bytes, result: Result | None) -> Trouble | None:
    if result in _GONE:
        return None
    if result == MOVING:
        return Trouble(path, MOVED)
    if result in (SPECIAL, errno.ELOOP):  # ELOOP: it has become a link
        return Trouble(path, rules.SPECIAL)
    reason = os.strerror(result) if isinstance(result, int) and result > 0 else "it cannot be told why"
    return Trouble(path, rules.UNREADABLE, reason)


def _odd(place: bytes, path: bytes, found: os.stat_result | OSError) -> Content | Trouble | None:
    if isinstance(found, OSError):
        return None if found.errno in _GONE else Trouble(path, rules.UNREADABLE, found.strerror or "")
    if stat.S_ISLNK(found.st_mode):
        try:
            target = os.readlink(place)
        except OSError as error:
            return Trouble(path, rules.UNREADABLE, error.strerror or "")
        return Content(path, LINK_MODE, hashlib.sha256(target).digest(), len(target))
    return None if stat.S_ISDIR(found.st_mode) else Trouble(path, rules.SPECIAL)


def _mode(status: os.stat_result) -> int:
    return 0o100755 if status.st_mode & stat.S_IXUSR else 0o100644
