"""Records the child's output: each stream within its limit, and which piece of which stream came when."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from mlproj.errors import FULL, StoreError
from mlproj.execution.masking import Mask
from mlproj.files import write_all
from mlproj.logs import tail_of
from mlproj.model.events import ChildOutput, Note, Report
from mlproj.model.run import STREAMS

LEAST_SEGMENT = 64 * 1024
MERGED = 0.005
"""Pieces of one stream that come within this time, in seconds, are one to whoever asks when they came."""
SHARE_OF_TIMES = 8
"""The times may take so many times less room than the streams. Beyond, they say no more."""


class Recorder:
    """Appends each piece to the logs and reports it. Use as a context manager.

    Of each stream `limit` bytes are kept, half of them from its end, as `mlproj.logs` has it; a file with a
    part of the end holds `segment` bytes at least. `secrets` are neither kept nor told. On a full disk the
    rest of a stream is told and not kept, with a note. Raises StoreError where the logs cannot be written.
    """

    def __init__(
        self,
        logs: Path,
        report: Report,
        limit: int,
        *,
        secrets: tuple[str, ...] = (),
        segment: int = LEAST_SEGMENT,
    ) -> None:
        self.report = report
        self._logs = logs
        self._limit = limit
        self._segment = segment
        self._streams: dict[str, _StreamLog] = {}
        self._masks = {name: tuple(map(Mask, secrets)) for name in STREAMS}
        self._last = 0.0
        self._full: set[str] = set()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Recorder:
        with self._translated():
            for name in STREAMS:
                log = _StreamLog(self._logs / name, -(-self._limit // 2), self._segment)
                self._stack.callback(log.close)
                self._streams[name] = log
            times = self._stack.enter_context(open(self._logs / "times", "ab", buffering=0))
            self._times = _Times(times, max(self._limit // SHARE_OF_TIMES, LEAST_SEGMENT))
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._stack:
            self._let_out(Mask.end)
            self.flush()

    def add(self, stream: str, data: bytes, seconds: float) -> None:
        """Records a piece that was read `seconds` after the start, then tells of it."""
        self._last = seconds
        for mask in self._masks[stream]:
            data = mask.feed(data)
        self._keep(stream, data, seconds)

    def flush(self) -> None:
        """Writes what is held back and need not be."""
        self._let_out(Mask.rest)
        with self._translated():
            self._times.flush()

    def _let_out(self, held: Callable[[Mask], bytes]) -> None:
        """Writes what one mask after the other gives back."""
        for stream, masks in self._masks.items():
            data = b""
            for mask in masks:
                data = mask.feed(data) + held(mask)
            self._keep(stream, data, self._last)

    def _keep(self, stream: str, data: bytes, seconds: float) -> None:
        if not data:
            return
        with self._translated():
            self._streams[stream].write(data)
            self._times.add(stream, len(data), seconds)
        if self._streams[stream].full and stream not in self._full:
            self._full.add(stream)
            self.report(Note(message=f"no space is left for the logs: the rest of `{stream}` is not kept"))
        self.report(ChildOutput(stream=stream, data=data))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"the logs in `{self._logs}` cannot be written: {error.strerror}") from error


class _StreamLog:
    """Writes a stream: the first `half` bytes to a file, then segments that hold the last `half` and more.

    Once the disk is `full`, nothing more is written.
    """

    def __init__(self, path: Path, half: int, least_segment: int) -> None:
        self._path = path
        self._half = half
        self._segment = max(half // 4, least_segment)
        self._segments: list[int] = []
        self._file = FileIO(path, "a")
        self._written = self._file.tell()
        self._room = max(0, half - self._written)
        self._came = self._written
        self.full = False

    def write(self, data: bytes) -> None:
        """Raises OSError, but not for a full disk."""
        self._came += len(data)
        if not self.full:
            with _or_full() as found:
                self._write(data)
            self.full = bool(found)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while len(rest) > self._room:
            write_all(self._file.fileno(), rest[: self._room])
            self._written += self._room
            rest = rest[self._room :]
            self._begin_segment()
        write_all(self._file.fileno(), rest)
        self._written += len(rest)
        self._room -= len(rest)

    def close(self) -> None:
        self._file.close()
        if self.full and not self._segments:
            # An empty segment at the end tells how much is missing, if there is room for its name.
            with contextlib.suppress(OSError):
                folder = tail_of(self._path)
                folder.mkdir(exist_ok=True)
                FileIO(folder / str(self._came), "a").close()

    def _begin_segment(self) -> None:
        folder = tail_of(self._path)
        folder.mkdir(exist_ok=True)
        self._file.close()
        self._file = FileIO(folder / str(self._written), "a")
        self._room = self._segment
        self._segments.append(self._written)
        while len(self._segments) > 1 and self._written - self._segments[1] >= self._half:
            os.unlink(folder / str(self._segments.pop(0)))


class _Times:
    """Lines of when, which stream, how many bytes: in the order in which the pieces were read."""

    def __init__(self, file: FileIO, room: int) -> None:
        self._file = file
        self._room = room
        self._lines: list[str] = []
        self._stream = ""
        self._since = 0.0
        self._length = 0

    def add(self, stream: str, length: int, seconds: float) -> None:
        """Notes a piece. Raises OSError."""
        if stream == self._stream and seconds - self._since < MERGED:
            self._length += length
            return
        self._end_line()
        self._stream, self._since, self._length = stream, seconds, length
        if len(self._lines) >= 1000:
            self._write()

    def flush(self) -> None:
        """Writes everything that was noted. Raises OSError."""
        self._end_line()
        self._write()

    def _end_line(self) -> None:
        if self._length:
            self._lines.append(f"{self._since:.6f} {self._stream} {self._length}\n")
        self._stream, self._length = "", 0

    def _write(self) -> None:
        text, self._lines = "".join(self._lines).encode(), []
        if len(text) > self._room:
            # What comes later must not stand right after this, as if nothing had been between.
            text, self._room = text[: text.rfind(b"\n", 0, self._room) + 1], 0
        else:
            self._room -= len(text)
        with _or_full() as found:
            write_all(self._file.fileno(), text)
        if found:
            self._room = 0


@contextlib.contextmanager
def _or_full() -> Iterator[list[OSError]]:
    """Yields a list that holds what the system said, if it said that the disk is full."""
    found: list[OSError] = []
    try:
        yield found
    except OSError as error:
        if error.errno not in FULL:
            raise
        found.append(error)
