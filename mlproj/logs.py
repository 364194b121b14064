"""How a log lies on the disk: its head in one file and, beyond it, its end in segments, of which old ones go.

While a run goes on, `stdout` holds the stream's first bytes, up to half of the limit. What comes then is
written to `stdout.tail/`, to files named by the offset at which they begin; the oldest is removed once the
others hold the other half. So whoever finds the folder knows from it alone what was kept and what was not,
be it that the writer was killed. At the end `gather` makes one file of it all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mlproj.errors import FULL

PIECE = 256 * 1024
"""Bytes handled at once, at most."""


class Kept(NamedTuple):
    """One file with all that is kept of a stream: after its first `cut_at` bytes, `cut` were left out."""

    path: Path
    cut: int = 0
    cut_at: int = 0


class Segment(NamedTuple):
    """A file that holds a stretch of a stream, from `offset` on."""

    offset: int
    path: Path


def mark(cut: int, *, open_line: bool) -> bytes:
    """What stands where `cut` bytes were left out: a line of its own, also after one that was not ended."""
    return b"\n" * open_line + f"[mlproj: {cut:,} bytes were not kept here]\n".encode()


def tail_of(log: Path) -> Path:
    """The folder with the segments that follow the head."""
    return log.with_name(f"{log.name}.tail")


def segments(log: Path) -> list[Segment]:
    """The segments that are there now, in order."""
    try:
        names = os.listdir(tail_of(log))
    except FileNotFoundError:
        return []
    return sorted(Segment(int(name), tail_of(log) / name) for name in names if name.isdigit())


def gather(log: Path) -> Kept:
    """Everything that is kept of the log in one file, once nobody writes to it any more.

    Head and segments stay as they are, so that it can be done again. On a disk that is too full for it, only
    the head is kept. Raises OSError where the log cannot be read.
    """
    found = segments(log)
    if not found:
        return Kept(log)
    head = log.stat().st_size
    beyond = found[-1].offset + found[-1].path.stat().st_size - head
    cut = max(0, beyond - head, found[0].offset - head)
    whole = log.with_name(f"{log.name}.whole")
    try:
        with log.open("rb") as source, whole.open("wb") as target:
            shutil.copyfileobj(source, target, PIECE)
            target.write(_mark_after(log, head, cut))
            for _, data in stretches(log, head + cut):
                target.write(data)
    except OSError as error:
        if error.errno not in FULL:
            raise
        shutil.rmtree(tail_of(log), ignore_errors=True)
        whole.unlink(missing_ok=True)
        with contextlib.suppress(OSError), log.open("ab") as target:
            target.write(_mark_after(log, head, beyond))
        return Kept(log, beyond, head)
    return Kept(whole, cut, head if cut else 0)


def stretches(log: Path, offset: int) -> Iterator[tuple[int, bytes]]:
    """What there is now of the stream from `offset` on: pieces, each with the offset at which it begins.

    Where that is not the end of the piece before, what lies between the two was not kept.
    """
    for begin, path in [Segment(0, log), *segments(log)]:
        # A segment may be removed under our hands.
        with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            end = begin + os.fstat(file.fileno()).st_size
            at = max(offset, begin)
            file.seek(at - begin)
            while at < end and (data := file.read(min(PIECE, end - at))):
                yield at, data
                at += len(data)


class KeptStream:
    """A gathered file, read in terms of the whole stream; in the place of what was cut comes the mark."""

    def __init__(self, file: BinaryIO, *, cut: int = 0, cut_at: int = 0, offset: int = 0) -> None:
        self._descriptor = file.fileno()
        self._gap = range(cut_at, cut_at + cut)
        self._open_line = os.pread(self._descriptor, 1, cut_at) == b"\n"
        self._mark_size = len(mark(cut, open_line=self._open_line)) if cut else 0
        self._at = self._wanted = offset

    def read(self, length: int) -> Iterator[bytes]:
        """The next `length` bytes of the stream, as far as they were kept."""
        self._wanted += length
        while self._at < self._wanted:
            if self._at in self._gap:
                # Whoever comes to the midst of the gap saw more than was kept, and ended it somewhere.
                open_line = self._open_line or self._at > self._gap.start
                yield mark(self._gap.stop - self._at, open_line=open_line)
                self._at = self._gap.stop
                continue
            before = self._at < self._gap.start
            end = min(self._wanted, self._gap.start) if before else self._wanted
            place = self._at if before else self._at - len(self._gap) + self._mark_size
            data = os.pread(self._descriptor, min(PIECE, end - self._at), place)
            if not data:
                return
            yield data
            self._at += len(data)

    def rest(self) -> Iterator[bytes]:
        """All that is left of it."""
        return self.read(sys.maxsize - self._wanted)


def _mark_after(log: Path, head: int, cut: int) -> bytes:
    """The mark as it has to be after the head, nothing where nothing was cut."""
    if not cut:
        return b""
    with log.open("rb") as file:
        return mark(cut, open_line=head > 0 and os.pread(file.fileno(), 1, head - 1) != b"\n")
