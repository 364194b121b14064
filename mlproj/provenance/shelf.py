"""Which files of a snapshot are held, and which are only named: beyond the limits, or not to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mlproj.model.digest import Digest, readable
from mlproj.model.events import Note, Report
from mlproj.model.source import OmittedFile, SnapshotFile
from mlproj.provenance import rules
from mlproj.provenance.rules import Sieve

Row = tuple[bytes, int, bytes, int]
"""Path, mode, digest, size."""


class Shelf:
    """Takes in files as they become known."""

    def __init__(self, sieve: Sieve) -> None:
        self._sieve = sieve
        self._untracked: set[bytes] = set()
        self._deleted: set[bytes] = set()
        self._rows: list[Row] = []
        self._omitted: list[tuple[bytes, OmittedFile]] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Files that were read."""
        limit, keep = self._sieve.size_limit, self._sieve.keep
        for row in rows:
            if row[3] > limit and row[0] not in keep:
                self._name(row, rules.TOO_LARGE)
            else:
                self._rows.append(row)

    def omit(self, path: bytes, reason: str) -> None:
        """A file, or a folder, that was not."""
        self._omitted.append((path, OmittedFile(path=_text(path), reason=reason)))

    def note_untracked(self, paths: Iterable[bytes]) -> None:
        """These are the ones that git knows nothing of."""
        self._untracked.update(paths)

    def note_deleted(self, paths: Iterable[bytes]) -> None:
        """These are not there, whatever a link in the place of their folder leads to."""
        self._deleted.update(paths)

    def filled(self, report: Report) -> tuple[tuple[SnapshotFile, ...], tuple[OmittedFile, ...]]:
        """What is held, and what is only named, in the order of their paths.

        Where all together is more than the limit, what git tracks comes first, and the smallest of it first.
        """
        rows = [row for row in self._rows if row[0] not in self._deleted]
        if sum(size for _, _, _, size in rows) > self._sieve.total_limit:
            rows, beyond = self._divided(rows)
            self._tell(beyond, report)
            for row in beyond:
                self._name(row, rules.BEYOND)
        return (
            tuple(
                SnapshotFile(path=_text(path), mode=mode, digest=Digest.from_raw(digest), size=size)
                for path, mode, digest, size in sorted(rows)
            ),
            tuple(
                file
                for path, file in sorted(self._omitted, key=lambda pair: pair[0])
                if path not in self._deleted
            ),
        )

    def _divided(self, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        keep, untracked = self._sieve.keep, self._untracked
        held: list[Row] = []
        beyond: list[Row] = []
        size = 0

        def rank(row: Row) -> tuple[bool, bool, int, bytes]:
            return row[0] not in keep, row[0] in untracked, row[3], row[0]

        for row in sorted(rows, key=rank):
            if size + row[3] <= self._sieve.total_limit or row[0] in keep:
                held.append(row)
                size += row[3]
            else:
                beyond.append(row)
        return held, beyond

    def _name(self, row: Row, reason: str) -> None:
        path, mode, digest, size = row
        named = OmittedFile(
            path=_text(path), reason=reason, size=size, digest=Digest.from_raw(digest), mode=mode
        )
        self._omitted.append((path, named))

    def _tell(self, beyond: list[Row], report: Report) -> None:
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
