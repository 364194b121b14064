"""A snapshot: the digest of each file of a source tree, as it lies in the working tree."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from mlproj.errors import ProjectError
from mlproj.model.digest import readable
from mlproj.model.events import Note, Report
from mlproj.model.source import Snapshot
from mlproj.provenance import rules
from mlproj.provenance.batches import BATCH, Batch, Segment, lasting, look
from mlproj.provenance.digests import Digesting
from mlproj.provenance.reading import MOVING, SPECIAL, Result, size_in
from mlproj.provenance.shelf import Row, Shelf
from mlproj.provenance.statcache import StatCache

LINK_MODE = 0o120000
_GONE = (errno.ENOENT, errno.ENOTDIR)


class Trouble(msgspec.Struct, frozen=True):
    """A path whose content nobody knows: special, changing all the time, or unreadable for a `reason`."""

    path: bytes
    kind: str
    reason: str = ""


MOVED = "keeps changing"


class Found(msgspec.Struct, frozen=True):
    """What is in some of the files of a tree. A symbolic link counts by its target's text."""

    rows: list[Row]
    troubles: list[Trouble]


def take_snapshot(
    root: Path, groups: Iterable[Iterable[bytes]], shelf: Shelf, cache: Path, report: Report
) -> Snapshot:
    """The snapshot of the files in `groups` (relative to `root`), gone through one after the other; those
    that are not there drop out of it.

    What is too large, special or unreadable joins what the shelf names already. Raises ProjectError where a
    file changes again and again while it is read.
    """
    for found in contents(root, groups, cache, report):
        shelf.add(found.rows)
        for trouble in found.troubles:
            if trouble.kind == MOVED:
                raise ProjectError(
                    f"the source keeps changing while it is recorded: `{readable(trouble.path)}`",
                    hint="wait until whatever writes there is done, or have git ignore it",
                )
            shelf.omit(trouble.path, trouble.kind)
            if trouble.reason:
                report(Note(message=f"`{readable(trouble.path)}` is not in the snapshot: {trouble.reason}"))
    held, named = shelf.filled(report)
    return Snapshot(root=root, files=held, omitted=named)


def contents(root: Path, groups: Iterable[Iterable[bytes]], cache: Path, report: Report) -> Iterator[Found]:
    """What is at the paths in `groups`, relative to `root`; nothing for what is not there any more."""
    top = os.fsencode(root)
    aside = Found([], [])
    known: dict[bytes, bytes] = {}

    def odd(place: bytes, path: bytes, found: os.stat_result | OSError) -> None:
        _put_odd(place, path, found, aside)

    with (
        StatCache(cache, Path(os.path.realpath(root)), purpose="snapshot") as remembered,
        Digesting(report) as digesting,
    ):

        def batches() -> Iterator[Batch]:
            for group in groups:
                paths = sorted(group)
                remembered.restart()
                for at in range(0, len(paths), BATCH):
                    yield look(Segment(top, b"", paths[at : at + BATCH]), remembered, odd, follow=False)

        try:
            for batch in digesting.in_order(batches()):
                known |= lasting(batch)
                yield _found(batch)
            yield aside
        finally:
            remembered.keep(dict(sorted(known.items())))


def _found(batch: Batch) -> Found:
    found = Found([], [])
    for path, status, result in zip(batch.paths, batch.statuses, batch.results, strict=True):
        mode = 0o100755 if status.st_mode & stat.S_IXUSR else 0o100644
        if isinstance(result, bytes):
            found.rows.append((path, mode, result, status.st_size))
        elif isinstance(result, tuple):
            found.rows.append((path, mode, result[0], size_in(result[1])))
        elif (trouble := _trouble(path, result)) is not None:
            found.troubles.append(trouble)
    return found


def _trouble(path: bytes, result: Result | None) -> Trouble | None:
    if result in _GONE:
        return None
    if result == MOVING:
        return Trouble(path, MOVED)
    if result in (SPECIAL, errno.ELOOP):  # ELOOP: it has become a link
        return Trouble(path, rules.SPECIAL)
    reason = os.strerror(result) if isinstance(result, int) and result > 0 else "it cannot be told why"
    return Trouble(path, rules.UNREADABLE, reason)


def _put_odd(place: bytes, path: bytes, found: os.stat_result | OSError, aside: Found) -> None:
    """Adds what is no regular file: a link, something special, or nothing that can be looked at."""
    try:
        if isinstance(found, OSError):
            raise found
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(place)
            aside.rows.append((path, LINK_MODE, hashlib.sha256(target).digest(), len(target)))
        elif not stat.S_ISDIR(found.st_mode):
            aside.troubles.append(Trouble(path, rules.SPECIAL))
    except OSError as error:
        if error.errno not in _GONE:
            aside.troubles.append(Trouble(path, rules.UNREADABLE, error.strerror or ""))
