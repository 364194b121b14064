"""SHA-256 of many files at once: remembered ones from the stat cache, the others read on every core."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Sequence

import msgspec

from mlproj.model.events import Progress, Report
from mlproj.provenance.statcache import StatCache, fingerprint_of, now

_PIECE = 1 << 20
_WORTH_THREADS = 4 << 20
"""Bytes below which starting threads takes longer than they save."""
_WORTH_TELLING = 64 << 20


class Unread(msgspec.Struct, frozen=True):
    """A file to read: its key in the cache, where it is, what `stat` said, and whether links are followed."""

    key: bytes
    path: bytes
    status: os.stat_result


class Read(msgspec.Struct, frozen=True):
    """What was read: the digest and the length of the bytes."""

    digest: bytes
    size: int


def read_all(
    files: Sequence[Unread], cache: StatCache, report: Report, *, follow: bool = False
) -> dict[bytes, Read | OSError]:
    """The digests of `files` by key; an OSError for one that could not be read.

    Progress is reported where there is much to read. What was read goes into the cache, unless the file
    changed meanwhile.
    """
    total = sum(file.status.st_size for file in files)
    progress = _Progress(total, report if total >= _WORTH_TELLING else None)
    results: dict[bytes, Read | OSError] = {}
    # big ones first, so that no core is left with one at the end
    todo = iter(sorted(files, key=lambda file: -file.status.st_size) if total >= _WORTH_THREADS else files)

    def work() -> None:
        # an iterator over a list hands each item to one thread
        for file in todo:
            results[file.key] = _read_one(file, cache, progress.add, follow)

    workers = min(os.cpu_count() or 1, len(files)) if total >= _WORTH_THREADS else 1
    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    return results


def read_link(path: bytes) -> Read:
    """A symbolic link counts by its target's text."""
    target = os.readlink(path)
    return Read(hashlib.sha256(target).digest(), len(target))


def _read_one(file: Unread, cache: StatCache, add: Callable[[int], None], follow: bool) -> Read | OSError:
    begun = now()
    try:
        # without O_NONBLOCK a file that has become a FIFO would hang us
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        descriptor = os.open(file.path, flags)
    except OSError as error:
        return error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return OSError(0, "no longer a regular file")
        hasher = hashlib.sha256()
        size = 0
        while piece := os.read(descriptor, _PIECE):
            hasher.update(piece)
            size += len(piece)
            add(len(piece))
        after = os.fstat(descriptor)
    except OSError as error:
        return error
    finally:
        os.close(descriptor)
    digest = hasher.digest()
    if size == after.st_size and fingerprint_of(before) == fingerprint_of(after):
        cache.put(file.key, after, digest, begun)
    return Read(digest, size)


class _Progress:
    """Adds up what the threads have read, and tells of it a hundred times at most."""

    def __init__(self, total: int, report: Report | None) -> None:
        self._total = total
        self._report = report
        self._step = max(total // 100, 1)
        self._done = 0
        self._told = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self._report is None:
            return
        with self._lock:
            self._done += count
            if self._done - self._told >= self._step or self._done == self._total:
                self._told = self._done
                self._report(Progress(stage="hash", done=self._done, total=self._total, unit="bytes"))
