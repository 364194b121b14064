"""SHA-256 of many files: remembered ones from the stat cache, the others read on every core, all in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

import msgspec

from mlproj.model.events import Report
from mlproj.provenance.readers import Reader, ReaderGone, Request, others
from mlproj.provenance.reading import PIECE, Result, fingerprint, open_folder, read_batch
from mlproj.provenance.statcache import GRAIN, StatCache, now
from mlproj.provenance.telling import Telling

BATCH = 256
"""How many files are looked at together."""
_WINDOW = 64
"""How many batches are under way at most, which bounds what is held in memory."""
_JOB_FILES = 64
_JOB_SIZE = 4 * PIECE
_SHARE = 8
"""How many small jobs a reader beside us gets at once."""
_KIND, _REGULAR = 0o170000, 0o100000
_PER_FILE = 16 << 10
"""Opening a file takes about as long as hashing so many bytes."""
_WORTH_A_READER = 48 * PIECE
"""Below so many bytes of waiting work, a reader would start for longer than it saves."""

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


def look(segment: Segment, cache: StatCache, odd: Odd, *, follow: bool) -> Batch:
    """What `stat` and the cache know of a segment's files. Raises OSError where there is no such folder."""
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
    results: list[Result | None] = [*cache.find(paths, prints)]
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


class _Job(msgspec.Struct, gc=False):
    """Some files of a batch, by their numbers, to be read one after the other."""

    batch: Batch
    numbers: list[int]
    size: int

    @property
    def cost(self) -> int:
        return self.size + len(self.numbers) * _PER_FILE

    @property
    def request(self) -> Request:
        batch = self.batch
        names, prints = [batch.names[n] for n in self.numbers], [batch.prints[n] for n in self.numbers]
        return batch.folder, names, prints, batch.follow


class _Share(msgspec.Struct):
    """What a reader beside us was given, and how many bytes of it it told to have read."""

    reader: Reader
    jobs: list[_Job] = msgspec.field(default_factory=list)
    told: int = 0


class Digesting:
    """Reads what nobody knows yet, here and beside us; used as `with`, at whose end nobody reads any more."""

    def __init__(self, report: Report) -> None:
        self._waiting: deque[_Job] = deque()
        self._cost = 0
        self._shares: list[_Share] = []
        self._most = others()
        self._telling = Telling(report)

    def __enter__(self) -> Digesting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for share in self._shares:
            share.reader.close()

    def in_order(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches in the same order, with all results."""
        pending: deque[Batch] = deque()
        for batch in batches:
            pending.append(batch)
            self._add(batch)
            while pending and (not pending[0].missing or len(pending) >= _WINDOW):
                if pending[0].missing:
                    self._go_on()
                else:
                    yield pending.popleft()
        self._telling.all_seen()
        while pending:
            while pending[0].missing:
                self._go_on()
            yield pending.popleft()

    def _add(self, batch: Batch) -> None:
        jobs = list(_jobs(batch)) if batch.missing else []
        self._waiting.extend(jobs)
        self._cost += sum(job.cost for job in jobs)
        self._telling.see(len(batch.names), sum(job.size for job in jobs))
        self._telling.finish(len(batch.names) - batch.missing)
        if jobs:
            self._look_around()

    def _go_on(self) -> None:
        """Reads a job here, or waits for those beside us where all is handed out."""
        self._look_around()
        if not self._waiting:
            for share in [share for share in self._shares if share.jobs][:1]:
                self._take(share, wait=True)
            return
        job = self._waiting.popleft()
        self._cost -= job.cost
        told = 0

        def tell(count: int) -> None:
            nonlocal told
            told += count
            self._telling.read(count)
            self._look_around()  # a large file takes long, and nobody should wait for us

        folder, names, prints, follow = job.request
        self._settle(job, read_batch(folder, names, prints, follow, tell))
        self._telling.read(job.size - told)

    def _look_around(self) -> None:
        """Takes what those beside us have read, and hands out what waits. One job is left for us."""
        for share in [share for share in self._shares if share.jobs]:
            self._take(share, wait=False)
        while len(self._waiting) > 1 and (share_ := self._idle()) is not None:
            self._hand_out(share_)

    def _idle(self) -> _Share | None:
        idle = next((share for share in self._shares if not share.jobs), None)
        if idle is None and self._cost > _WORTH_A_READER and len(self._shares) < self._most:
            try:
                idle = _Share(Reader())
                self._shares.append(idle)
            except ReaderGone:
                self._most = 0
        return idle

    def _hand_out(self, share: _Share) -> None:
        size = 0
        fair = min(_SHARE, len(self._waiting) // 2)
        while self._waiting and len(share.jobs) < max(fair, 1) and size < _SHARE * _JOB_SIZE // 2:
            job = self._waiting.popleft()
            self._cost -= job.cost
            size += job.size
            share.jobs.append(job)
        share.told = 0
        try:
            share.reader.ask([job.request for job in share.jobs])
        except ReaderGone:
            self._lose(share)

    def _take(self, share: _Share, *, wait: bool) -> None:
        def tell(count: int) -> None:
            share.told += count
            self._telling.read(count)

        try:
            answer = share.reader.answer(tell, wait=wait)
        except ReaderGone:
            self._lose(share)
            return
        if answer is not None:
            for job, results in zip(share.jobs, answer, strict=True):
                self._settle(job, results)
            self._telling.read(sum(job.size for job in share.jobs) - share.told)
            share.jobs = []

    def _lose(self, share: _Share) -> None:
        """A reader ended: its work is ours again, and no other is started in its place."""
        self._waiting.extendleft(reversed(share.jobs))
        self._cost += sum(job.cost for job in share.jobs)
        self._shares.remove(share)
        self._most -= 1
        share.reader.close()

    def _settle(self, job: _Job, results: list[Result]) -> None:
        batch = job.batch
        for number, result in zip(job.numbers, results, strict=True):
            batch.results[number] = result
        batch.missing -= len(results)
        self._telling.finish(len(results))


def _jobs(batch: Batch) -> Iterator[_Job]:
    """What is to be read of a batch, large files first, so that no core is left with one at the end."""
    small: list[int] = []
    large: list[tuple[int, int]] = []
    for number, result in enumerate(batch.results):
        if result is None:
            size = batch.statuses[number].st_size
            if size > _JOB_SIZE:
                large.append((size, number))
            else:
                small.append(number)
    for size, number in sorted(large, reverse=True):
        yield _Job(batch, [number], size)
    job = _Job(batch, [], 0)
    for number in small:
        job.numbers.append(number)
        job.size += batch.statuses[number].st_size
        if len(job.numbers) == _JOB_FILES or job.size >= _JOB_SIZE:
            yield job
            job = _Job(batch, [], 0)
    if job.numbers:
        yield job
