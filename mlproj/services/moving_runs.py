"""Runs move in: read ahead from where they were, some at once, and written here one after another."""

from __future__ import annotations

import collections
import contextlib
import tempfile
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import msgspec

from mlproj.errors import DataError, RunNotFound, StoreError, UsageError
from mlproj.model.logged import point_lines, read_points
from mlproj.model.moved import is_storable, moved_document, read_moved
from mlproj.model.tracking import Metric, TrackedRun
from mlproj.moving_ports import RUNS, Arrivals, History
from mlproj.services.moving_changes import bring_changes
from mlproj.services.moving_files import FileMover
from mlproj.services.moving_tally import CHANGED, NEW, SAME, Tally
from mlproj.tracking_ports import TrackedRuns

_READERS = 4
_AHEAD = 16
_IN_MEMORY = 4 << 20
"""Points beyond so many bytes wait in a file."""


class _Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose points were read. `then` is what was put down of it when it came here; `known` says that it
    is here, `whole` that nothing changed there since."""

    run: TrackedRun
    document: bytes
    then: bytes | None
    known: bool
    points: IO[bytes] | None
    left_out: int = 0

    @property
    def whole(self) -> bool:
        return self.then == self.document


class RunMover:
    """Brings the runs of one experiment after another."""

    def __init__(
        self, history: History, arrivals: Arrivals, runs: TrackedRuns, files: FileMover, tally: Tally
    ) -> None:
        self._history = history
        self._arrivals = arrivals
        self._runs = runs
        self._files = files
        self._tally = tally

    def bring(self, found: Iterable[TrackedRun], experiment_id: str) -> Iterator[str]:
        """Brings these runs under an experiment; the id of each that is done with. Raises StoreError."""
        with ThreadPoolExecutor(_READERS) as pool, contextlib.closing(self._ahead(pool, found)) as ready:
            for run, reading in ready:
                try:
                    self._take(reading.result(), experiment_id)
                except (DataError, UsageError) as error:
                    self._tally.leave(f"run {run.run_id}", error.message)
                yield run.run_id

    def _ahead(
        self, pool: ThreadPoolExecutor, found: Iterable[TrackedRun]
    ) -> Generator[tuple[TrackedRun, Future[_Ready]], None, None]:
        waiting: collections.deque[tuple[TrackedRun, Future[_Ready]]] = collections.deque()
        try:
            for run in found:
                waiting.append((run, pool.submit(self._read, run)))
                if len(waiting) >= _AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, reading in waiting:
                reading.cancel()

    def _read(self, run: TrackedRun) -> _Ready:
        document = moved_document(run)
        try:
            then, known = self._arrivals.document(run.run_id), True
        except RunNotFound:
            then, known = None, False
        if known and then in (None, document):
            return _Ready(run=run, document=document, then=then, known=known, points=None)
        points, left_out = _spooled(self._history.points(run))
        return _Ready(run=run, document=document, then=then, known=known, points=points, left_out=left_out)

    def _take(self, ready: _Ready, experiment_id: str) -> None:
        run = ready.run
        if ready.known and ready.then is None:
            self._tally.count("runs", SAME)
            why = "it is here already as one that did not come from MLflow, or was taken away for good"
            self._tally.leave(f"run {run.run_id}", why)
            return
        brought = self._files.bring(RUNS, run.run_id, run.artifact_uri)
        if ready.left_out:
            why = "their step or time is beyond what a record can hold"
            self._tally.leave(f"{ready.left_out} points of metrics of run {run.run_id}", why)
        if not ready.known:
            self._add(ready, experiment_id)
            self._tally.count("runs", NEW)
            return
        changes = 0
        if not ready.whole:
            changes = bring_changes(self._runs, self._then(ready), run, _metrics(ready.points))
        self._tally.count("runs", CHANGED if changes or brought else SAME)

    def _add(self, ready: _Ready, experiment_id: str) -> None:
        self._arrivals.run(
            ready.run,
            self._counted(_metrics(ready.points)),
            experiment_id=experiment_id,
            origin=f"{self._history.origin}#{ready.run.run_id}",
            document=ready.document,
        )

    def _counted(self, points: Iterator[Metric]) -> Iterator[Metric]:
        for point in points:
            self._tally.points += 1
            yield point

    def _then(self, ready: _Ready) -> TrackedRun:
        try:
            return read_moved(ready.then or b"")
        except ValueError as error:
            raise StoreError(
                f"what was put down of run `{ready.run.run_id}` cannot be read: {error}"
            ) from error


def _spooled(points: Iterable[Metric]) -> tuple[IO[bytes], int]:
    """The points in a file, and how many were left out since no record holds them."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when it is no longer used
    left_out = 0

    def storable() -> Iterator[tuple[str, tuple[int, int, float]]]:
        nonlocal left_out
        for point in points:
            if is_storable(point):
                yield point.key, (point.step, point.timestamp, point.value)
            else:
                left_out += 1

    file.writelines(point_lines(storable()))
    file.seek(0)
    return file, left_out


def _metrics(file: IO[bytes] | None) -> Iterator[Metric]:
    if file is None:
        return
    with file:
        for key, (step, timestamp, value) in read_points(file):
            yield Metric(key=key, value=value, timestamp=timestamp, step=step)
