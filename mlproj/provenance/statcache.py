"""Digests remembered by what `stat` says of a file, so that an unchanged one need not be read again.

As git does it: an entry counts only while device, inode, size and both times are the same, and is kept only
for a file that had been left alone for a while when it was read, since a change within the clock's grain
would show in none of these. It is read and written beside a walk in the same order, so that a million entries
take no more memory than a thousand. A cache that is damaged is an empty one.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from mlproj.provenance.cachefile import Entries, NewFile, OldFile
from mlproj.provenance.reading import FINGERPRINT

GRAIN = 2_000_000_000
"""Nanoseconds that a file must have been left alone for: the coarsest clock of a file system is FAT's."""


def now() -> int:
    return time.time_ns()


class StatCache:
    """The remembered digests of the files below one folder, by their path from there.

    `find` is asked in the order of the paths, and `keep` told in that order (each at its own pace); what is
    out of order is not found. At the end of the `with` the cache holds what was kept, and after an exception
    also what had not been come to. Of two processes that save at once one wins, and the other's files are
    read again some day. Never fails.
    """

    def __init__(self, folder: Path, root: Path, *, purpose: str) -> None:
        key = hashlib.sha256(b"%s\0%s" % (purpose.encode(), os.fsencode(root))).hexdigest()
        path = folder / f"{purpose}-{key[:32]}"
        self._old = OldFile(path)
        self._new = NewFile(path, self._old)
        self._blocks: Iterator[Entries] = iter(())
        self._known: Entries = {}
        self._last = b""
        self.restart()

    def __enter__(self) -> StatCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._keep_the_rest()
            self._new.put_in_place()
        finally:
            self._new.close()
            self._old.close()

    def restart(self) -> None:
        """Lets `find` begin again with the first path."""
        self._blocks = self._old.blocks()
        self._known = {}
        self._last = b""

    def find(self, paths: Iterable[bytes], prints: Iterable[bytes]) -> Iterator[bytes | None]:
        """The SHA-256 (32 bytes) of each file, where it is known in the state that its fingerprint tells."""
        for path, print_ in zip(paths, prints, strict=True):
            if path > self._last:
                self._advance(path)
            entry = self._known.get(path)
            yield entry[FINGERPRINT:] if entry is not None and entry.startswith(print_) else None

    def keep(self, entries: Entries) -> None:
        """Remembers, by path, fingerprints of files with their digests behind them.

        Each was in that state before and after it was read, and since `GRAIN` before it was.
        """
        self._new.add(entries)

    def _advance(self, path: bytes) -> None:
        while path > self._last:
            self._known = next(self._blocks, {})
            if not self._known:
                return
            self._last = next(reversed(self._known))

    def _keep_the_rest(self) -> None:
        last = self._new.last
        for entries in self._old.blocks():
            if next(reversed(entries)) > last:
                self._new.add({path: entry for path, entry in entries.items() if path > last})
