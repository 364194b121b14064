"""Tells how far hashing is, where it takes a while."""

from __future__ import annotations

from mlproj.model.events import Progress, Report

_WORTH_TELLING = 64 << 20
_PER_FILE = 16 << 10
"""A file takes as long as so many bytes, whatever is in it."""


class Telling:
    """Counts files and bytes as they are seen and as they are done, and tells of whichever takes longer.

    How many there are in all is told once it is known. Told of at every hundredth of what was seen so far.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._files = 0
        self._size = 0
        self._files_done = 0
        self._size_done = 0
        self._told = 0
        self._known = False

    def see(self, files: int, size: int) -> None:
        """There are so many more files, with so many bytes to read."""
        self._files += files
        self._size += size

    def all_seen(self) -> None:
        self._known = True

    def read(self, size: int) -> None:
        self._size_done = min(self._size_done + size, self._size)
        self._tell()

    def finish(self, files: int) -> None:
        self._files_done += files
        self._tell()

    def _tell(self) -> None:
        total = self._size + self._files * _PER_FILE
        done = self._size_done + self._files_done * _PER_FILE
        at_the_end = self._known and done == total != self._told
        if total < _WORTH_TELLING or not (at_the_end or done - self._told >= total // 100):
            return
        self._told = done
        if self._size > self._files * _PER_FILE:
            unit, count, whole = "bytes", self._size_done, self._size
        else:
            unit, count, whole = "files", self._files_done, self._files
        self._report(Progress(stage="hash", done=count, total=whole if self._known else None, unit=unit))
