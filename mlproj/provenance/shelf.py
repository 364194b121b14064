"""Which files of a snapshot are held, and which are only named: beyond the limits, or not to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from mlproj.model.digest import Digest, readable
from mlproj.model.events import Note, Report
from mlproj.model.source import OmittedFile, SnapshotFile
from mlproj.provenance import rules
from mlproj.provenance.rules import Sieve

_Row = tuple[bytes, int, bytes, int]
"""Path, mode, digest, size."""


class Shelf:
    """Takes in files as they become known. `untracked` are the paths that git knows nothing of."""

    def __init__(self, sieve: Sieve, untracked: Collection[bytes]) -> None:
        self._sieve = sieve
        self._untracked = untracked
        self._rows: list[_Row] = []
        self._size = 0
        self._omitted: list[tuple[bytes, OmittedFile]] = []

    def add(self, path: bytes, mode: int, digest: bytes, size: int) -> None:
        """A file that was read."""
        row = (path, mode, digest, size)
        if size > self._sieve.size_limit and path not in self._sieve.keep:
            self._name(row, rules.TOO_LARGE)
        else:
            self._rows.append(row)
            self._size += size

    def omit(self, path: bytes, reason: str) -> None:
        """A file, or a folder, that was not."""
        self._omitted.append((path, OmittedFile(path=_text(path), reason=reason)))

    def filled(self, report: Report) -> tuple[tuple[SnapshotFile, ...], tuple[OmittedFile, ...]]:
        """What is held, and what is only named, in the order of their paths.

        Where all together is more than the limit, what git tracks comes first, and the smallest of it first.
        """
        rows = self._rows
        if self._size > self._sieve.total_limit:
            rows, beyond = self._divided()
            self._tell(beyond, report)
            for row in beyond:
                self._name(row, rules.BEYOND)
        return (
            tuple(
                SnapshotFile(path=_text(path), mode=mode, digest=Digest.from_raw(digest), size=size)
                for path, mode, digest, size in sorted(rows)
            ),
            tuple(file for _, file in sorted(self._omitted, key=lambda pair: pair[0])),
        )

    def _divided(self) -> tuple[list[_Row], list[_Row]]:
        keep, untracked = self._sieve.keep, self._untracked
        held: list[_Row] = []
        beyond: list[_Row] = []
        size = 0

        def rank(row: _Row) -> tuple[bool, bool, int, bytes]:
            return row[0] not in keep, row[0] in untracked, row[3], row[0]

        for row in sorted(self._rows, key=rank):
            if size + row[3] <= self._sieve.total_limit or row[0] in keep:
                held.append(row)
                size += row[3]
            else:
                beyond.append(row)
        return held, beyond

    def _name(self, row: _Row, reason: str) -> None:
        path, mode, digest, size = row
        named = OmittedFile(
            path=_text(path), reason=reason, size=size, digest=Digest.from_raw(digest), mode=mode
        )
        self._omitted.append((path, named))

    def _tell(self, beyond: list[_Row], report: Report) -> None:
        if not beyond:
            return
        folders: Counter[bytes] = Counter()
        for path, _, _, size in beyond:
            folders[path.partition(b"/")[0] + b"/" if b"/" in path else b""] += size
        folder = folders.most_common(1)[0][0]
        where = f"most of it in `{readable(folder)}`" if folder else "most of it in no folder"
        files = "1 file" if len(beyond) == 1 else f"{len(beyond):,} files"
        size = sum(row[3] for row in beyond)
        report(
            Note(
                message=f"the source is larger than a snapshot may be ({_amount(self._sieve.total_limit)}): "
                f"{files} of {_amount(size)} are digested but not held, {where}; have git ignore what is no "
                "source and name it as an input, or set `MLPROJ_SNAPSHOT_LIMIT`"
            )
        )


def _amount(size: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
