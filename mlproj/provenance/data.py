"""The digest of a piece of data, a file or a folder, such that `sha256sum` confirms it."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import msgspec

from mlproj.errors import DataError
from mlproj.lineage_ports import MOST_FILES
from mlproj.model.digest import Digest, manifest_lines, readable
from mlproj.model.events import Note, Report
from mlproj.model.provenance import InputState
from mlproj.ports import ObservedInput
from mlproj.provenance.batches import BATCH, Batch, Segment, lasting, look
from mlproj.provenance.digests import Digesting
from mlproj.provenance.folders import Moving, is_link, unreadable, walk_data
from mlproj.provenance.reading import ATTEMPTS, MOVING, SPECIAL, UNKNOWN, size_in
from mlproj.provenance.statcache import StatCache

_T = TypeVar("_T")
_NOTES = 10
"""How many skipped files are told of one by one."""
_DANGLING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class _Seen(msgspec.Struct, frozen=True):
    digest: Digest
    size: int
    files: int
    manifest: bytes | None = None


def observed_data(
    name: str, path: Path, project: Path, *, declared: bool, cache: Path, report: Report
) -> ObservedInput:
    """The state of the file or folder at `path`.

    Raises DataError where it is not there, cannot be read, is neither, or changes again and again while it is
    read.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = "no such file or folder" if missing else error.strerror
        raise DataError(
            f"data `{readable(name)}` cannot be read: {reason}: `{readable(os.fspath(path))}`",
            hint="check the path; it is looked up from the project's folder" if missing else None,
        ) from error
    shown = _shown(path, project)
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"data `{readable(name)}` is neither a file nor a folder: `{shown}`",
            hint="put what comes out of it into a file, and name that",
        )
    look_at = _folder if is_folder else _file
    real = os.fsencode(os.path.realpath(path))
    seen = _steady(name, lambda: look_at(real, cache, report))
    state = InputState(
        name=readable(name),
        path=shown,
        kind="folder" if is_folder else "file",
        digest=seen.digest,
        size=seen.size,
        files=seen.files,
        declared=declared,
    )
    return ObservedInput(state=state, manifest=seen.manifest)


def manifest_of(name: str, path: Path, *, cache: Path, report: Report) -> bytes:
    """The list of the files in the folder of data at `path`, whose digest is the folder's. Raises DataError
    as `observed_data`, and where it is no folder."""
    if not path.is_dir():
        raise DataError(f"data `{readable(name)}` is no folder any more: `{readable(os.fspath(path))}`")
    real = os.fsencode(os.path.realpath(path))

    def listed() -> list[bytes]:
        lines: list[bytes] = []
        _folder(real, cache, report, lines.append)
        return lines

    return b"".join(_steady(name, listed))


def _shown(path: Path, project: Path) -> str:
    """The path as it is recorded: relative to the project inside of it, else absolute."""
    absolute = os.path.abspath(path)
    for base in (os.path.abspath(project), os.path.realpath(project)):
        if absolute.startswith(base + "/"):
            return readable(absolute[len(base) + 1 :])
    return "." if absolute == os.path.abspath(project) else readable(absolute)


def _steady(name: str, look_at: Callable[[], _T]) -> _T:
    """Looks again where something changed meanwhile: what was read and stayed is in the cache by then."""
    for _ in range(ATTEMPTS):
        try:
            return look_at()
        except Moving as error:
            moving = error
            if error.tried:
                break
    raise DataError(
        f"data `{readable(name)}` keeps changing while it is read: `{readable(moving.path)}`",
        hint="wait until whatever writes there is done, or name the part that stays as it is",
    ) from moving


def _file(path: bytes, cache: Path, report: Report) -> _Seen:
    folder, _, name = path.rpartition(b"/")

    def odd(at: bytes, _: bytes, found: os.stat_result | OSError) -> None:
        if isinstance(found, OSError) and found.errno not in _DANGLING:
            raise unreadable(at, found) from found
        raise Moving(at)

    with (
        StatCache(cache, Path(os.fsdecode(path)), purpose="file") as remembered,
        Digesting(report) as digesting,
    ):
        looked = look(Segment(folder or b"/", b"", [name]), remembered, odd, follow=True)
        [batch] = digesting.in_order([looked])
        remembered.keep(lasting(batch))
        [digest], [size] = _results(batch)
    return _Seen(Digest.from_raw(digest), size, 1)


def _folder(
    root: bytes, cache: Path, report: Report, keep: Callable[[bytes], None] = lambda lines: None
) -> _Seen:
    """Digests a folder; `keep` gets the lines of its manifest in their order."""
    skipped = _Skipped()
    hasher = hashlib.sha256()
    total, files = 0, 0
    lines: list[bytes] = []
    with (
        StatCache(cache, Path(os.fsdecode(root)), purpose="data") as remembered,
        Digesting(report) as digesting,
    ):
        batches = _looks(walk_data(root, skipped.add), remembered, skipped)
        for batch in digesting.in_order(batches):
            remembered.keep(lasting(batch))
            digests, sizes = _results(batch)
            listed = manifest_lines(digests, batch.paths)
            hasher.update(listed)
            keep(listed)
            total += sum(sizes)
            files += len(sizes)
            if files <= MOST_FILES:
                lines.append(listed)
    skipped.tell(report)
    manifest = b"".join(lines) if files <= MOST_FILES else None
    return _Seen(Digest.from_raw(hasher.digest()), total, files, manifest)


def digest_of_files(root: str, names: Sequence[str], cache: Path, report: Report) -> tuple[Digest, int]:
    """The digest of some files of a folder, and their size in all: that of the folder, if it had no others.

    `names` are paths from there, sorted as bytes. Raises DataError where one of them cannot be read.
    """
    hasher, total = hashlib.sha256(), 0

    def odd(path: bytes, _: bytes, found: os.stat_result | OSError) -> None:
        raise unreadable(path, found if isinstance(found, OSError) else OSError(0, "it is no file"))

    folder = os.fsencode(root)
    with StatCache(cache, Path(root), purpose="reads") as remembered, Digesting(report) as digesting:
        batches = (look(segment, remembered, odd, follow=True) for segment in _segments(folder, names))
        try:
            for batch in digesting.in_order(batches):
                remembered.keep(lasting(batch))
                digests, sizes = _results(batch)
                hasher.update(manifest_lines(digests, batch.paths))
                total += sum(sizes)
        except (Moving, OSError) as error:
            raise DataError(f"data below `{readable(root)}` changes while it is read") from error
    return Digest.from_raw(hasher.digest()), total


def _segments(root: bytes, names: Sequence[str]) -> Iterator[Segment]:
    """The files, those together that follow each other in the same folder."""
    for folder, group in itertools.groupby(map(os.fsencode, names), lambda name: name.rpartition(b"/")[0]):
        prefix = folder + b"/" if folder else b""
        files = [name[len(prefix) :] for name in group]
        for start in range(0, len(files), BATCH):
            yield Segment(root + b"/" + folder if folder else root, prefix, files[start : start + BATCH])


class _Skipped:
    """Keeps in mind what is left out: the first ones by name, the others by number."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, path: bytes, reason: str) -> None:
        self._count += 1
        if self._count <= _NOTES:
            self._lines.append(f"`{readable(path)}` {reason}")

    def odd(self, path: bytes, _: bytes, found: os.stat_result | OSError) -> None:
        """Takes in what `find -L -type f` leaves out too. Raises DataError or Moving for anything else."""
        if isinstance(found, OSError):
            if found.errno not in _DANGLING:
                raise unreadable(path, found) from found
            if not is_link(path):
                raise Moving(path)
            self.add(path, "leads nowhere")
        elif stat.S_ISDIR(found.st_mode):
            raise Moving(path)
        else:
            self.add(path, "is neither a file nor a folder")

    def tell(self, report: Report) -> None:
        for line in self._lines:
            report(Note(message=f"left out of the digest: {line}"))
        if self._count > _NOTES:
            report(Note(message=f"and {self._count - _NOTES} more left out of the digest"))


def _looks(segments: Iterable[Segment], remembered: StatCache, skipped: _Skipped) -> Iterator[Batch]:
    for segment in segments:
        try:
            yield look(segment, remembered, skipped.odd, follow=True)
        except OSError as error:
            raise Moving(segment.folder) from error


def _results(batch: Batch) -> tuple[list[bytes], list[int]]:
    """Digests and sizes of the files. Raises DataError or Moving."""
    digests: list[bytes] = []
    sizes: list[int] = []
    for name, status, result in zip(batch.names, batch.statuses, batch.results, strict=True):
        if isinstance(result, bytes):
            digests.append(result)
            sizes.append(status.st_size)
        elif isinstance(result, tuple):
            digests.append(result[0])
            sizes.append(size_in(result[1]))
        else:
            _refuse(batch.folder + b"/" + name, result)
    return digests, sizes


def _refuse(path: bytes, result: int | None) -> NoReturn:
    if result in (None, MOVING, SPECIAL, errno.ENOENT, errno.ENOTDIR):
        raise Moving(path, tried=result == MOVING)
    reason = os.strerror(result) if result is not None and result != UNKNOWN else "it cannot be told why"
    raise unreadable(path, OSError(result, reason))
