"""A snapshot: the digest of each file of a source tree, as it lies in the working tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlproj.model.digest import Digest, readable
from mlproj.model.events import Note, Report
from mlproj.model.source import OmittedFile, Snapshot, SnapshotFile
from mlproj.provenance import rules
from mlproj.provenance.digests import Read, Unread, read_all, read_link
from mlproj.provenance.rules import Sieve
from mlproj.provenance.statcache import StatCache, fingerprint

_FILE_TYPE = 0o170000
_LINK_MODE = 0o120000


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """Where files go as they become known: held, or named only."""

    sieve: Sieve
    files: list[SnapshotFile] = field(default_factory=list)
    omitted: list[OmittedFile] = field(default_factory=list)

    def add(self, path: bytes, mode: int, digest: bytes, size: int) -> None:
        named = Digest.from_raw(digest)
        if size > self.sieve.size_limit and path not in self.sieve.keep:
            self.omitted.append(
                OmittedFile(path=_text(path), reason=rules.TOO_LARGE, size=size, digest=named, mode=mode)
            )
        else:
            self.files.append(SnapshotFile(path=_text(path), mode=mode, digest=named, size=size))

    def omit(
        self,
        path: bytes,
        reason: str,
        *,
        size: int | None = None,
        digest: Digest | None = None,
        mode: int = 0o100644,
    ) -> None:
        self.omitted.append(OmittedFile(path=_text(path), reason=reason, size=size, digest=digest, mode=mode))


def take_snapshot(
    root: Path, kept: Iterable[bytes], omitted: Mapping[bytes, str], sieve: Sieve, cache: Path, report: Report
) -> Snapshot:
    """The snapshot of the files `kept` (relative to `root`); deleted ones drop out of it.

    What turns out to be too large, special or unreadable joins those in `omitted`, which come with their
    reasons.
    """
    remembered = _remembered(root, cache)
    shelf = _Shelf(sieve=sieve)
    for path, reason in omitted.items():
        shelf.omit(path, reason)
    unread = _sort_out(root, kept, remembered, shelf)
    results = read_all(unread, remembered, report)
    for file in unread:
        result = results[file.key]
        if isinstance(result, Read):
            shelf.add(file.key, _mode(file.status), result.digest, result.size)
        else:
            shelf.omit(file.key, rules.UNREADABLE)
            report(Note(message=f"`{readable(file.key)}` is not in the snapshot: {result.strerror}"))
    remembered.save()
    return Snapshot(
        root=root,
        files=tuple(sorted(shelf.files, key=lambda file: file.path)),
        omitted=tuple(sorted(shelf.omitted, key=lambda file: file.path)),
    )


def _remembered(root: Path, cache: Path) -> StatCache:
    return StatCache(cache, Path(os.path.realpath(root)), purpose="snapshot")


def _sort_out(root: Path, kept: Iterable[bytes], remembered: StatCache, shelf: _Shelf) -> list[Unread]:
    """Puts what is known on the shelf and returns the files to read. Every file goes through it."""
    unread: list[Unread] = []
    get, add, prefix = remembered.get, shelf.add, os.fsencode(root)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in kept:
            try:
                status = os.lstat(path, dir_fd=descriptor)
            except OSError:
                continue  # deleted in the working tree
            kind = status.st_mode & _FILE_TYPE
            if kind == stat.S_IFREG:
                print_ = fingerprint(
                    status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
                )
                known = get(path, print_)
                if known is None:
                    unread.append(Unread(path, os.path.join(prefix, path), status))
                else:
                    add(path, _mode(status), known, status.st_size)
            elif kind == stat.S_IFLNK:
                read = read_link(os.path.join(prefix, path))
                add(path, _LINK_MODE, read.digest, read.size)
            elif kind != stat.S_IFDIR:
                shelf.omit(path, rules.SPECIAL)
    finally:
        os.close(descriptor)
    return unread


def _mode(status: os.stat_result) -> int:
    return 0o100755 if status.st_mode & stat.S_IXUSR else 0o100644


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
