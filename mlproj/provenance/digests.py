"""Reads files on every core, and hands them on in the order of their walk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType

import msgspec

from mlproj.model.events import Report
from mlproj.provenance.batches import Batch
from mlproj.provenance.readers import Reader, ReaderGone, Request, others
from mlproj.provenance.reading import PIECE, Result, read_batch
from mlproj.provenance.telling import Telling

_WINDOW = 64
"""How many batches are under way at most, which bounds what is held in memory."""
_JOB_FILES = 64
_JOB_SIZE = 4 * PIECE
_SHARE = 8
"""How many small jobs a reader beside us gets at once."""
_PER_FILE = 16 << 10
"""Opening a file takes about as long as hashing so many bytes."""
_WORTH_A_READER = 48 * PIECE
"""Below so many bytes of waiting work, a reader would start for longer than it saves."""


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
        if self._waiting:
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
