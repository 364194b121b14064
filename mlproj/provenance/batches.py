"""Some files of a walk, looked at together: what `stat` and the cache know of them, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from mlproj.provenance.reading import Result, fingerprint, open_folder
from mlproj.provenance.statcache import GRAIN, StatCache, now

BATCH = 256
"""How many files are looked at together."""
_KIND, _REGULAR = 0o170000, 0o100000
"""The bits of a mode that say what it is of, and what they are of a regular file: `stat.S_ISREG`, at once."""

Odd = Callable[[bytes, bytes, "os.stat_result | OSError"], None]
"""Is told of what is no regular file, or cannot be looked at: its path, that in the walk, `stat`'s word."""


class Segment(msgspec.Struct, frozen=True):
    """Names that follow each other in the walk, at most `BATCH`: below `folder` (absolute), which the walk
    calls `prefix` (empty, or with a `/` at its end)."""

    folder: bytes
    prefix: bytes
    names: list[bytes]


class Batch(msgspec.Struct, gc=False):
    """The regular files of a segment: names below the folder and paths in the walk, their state and, by and
    by, what came of reading them.

    `missing` counts the results that are not there yet; `begun` is when we first looked, before any reading.
    """

    folder: bytes
    follow: bool
    begun: int
    names: list[bytes]
    paths: list[bytes]
    statuses: list[os.stat_result]
    prints: list[bytes]
    results: list[Result | None]
    missing: int


def look(segment: Segment, cache: StatCache | None, odd: Odd, *, follow: bool) -> Batch:
    """What `stat`, and the cache if there is one, know of a segment's files. Raises OSError where there is no
    such folder."""
    begun, prefix, place = now(), segment.prefix, segment.folder + b"/"
    names: list[bytes] = []
    statuses: list[os.stat_result] = []
    descriptor = open_folder(segment.folder)
    try:
        for name in segment.names:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=follow)
            except OSError as error:
                odd(place + name, prefix + name, error)
                continue
            if status.st_mode & _KIND == _REGULAR:
                names.append(name)
                statuses.append(status)
            else:
                odd(place + name, prefix + name, status)
    finally:
        os.close(descriptor)
    paths = [prefix + name for name in names] if prefix else names
    prints = [fingerprint(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in statuses]
    results: list[Result | None] = [None] * len(paths) if cache is None else [*cache.find(paths, prints)]
    return Batch(
        folder=segment.folder,
        follow=follow,
        begun=begun,
        names=names,
        paths=paths,
        statuses=statuses,
        prints=prints,
        results=results,
        missing=results.count(None),
    )


def lasting(batch: Batch) -> dict[bytes, bytes]:
    """What the cache may keep of a batch whose results are all there."""
    before = batch.begun - GRAIN
    return {
        path: print_ + result
        for path, status, print_, result in zip(
            batch.paths, batch.statuses, batch.prints, batch.results, strict=True
        )
        if isinstance(result, bytes) and status.st_mtime_ns < before and status.st_ctime_ns < before
    }
