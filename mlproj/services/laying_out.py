"""Lays the source of a recorded run out in a clean folder, exactly as it ran."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from mlproj.errors import Altered, SourceError, StoreError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.events import Note, Report
from mlproj.model.source import IS_SECRET, OmittedFile, Snapshot, SnapshotFile, SourceState
from mlproj.store_ports import BlobStore

_LINK = 0o120000
_SHOWN = 5


class _Listed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of a snapshot's manifest."""

    path: bytes
    mode: int
    digest: Digest

    @property
    def text(self) -> str:
        return self.path.decode("utf-8", "surrogateescape")


Find = Callable[["_Listed"], "Path | None"]
"""Where the content of a file is; None where nobody has it."""


def kept(blobs: BlobStore, *roots: Path) -> Find:
    """Out of the store; what a snapshot only names, from where it was below one of `roots`, if that has not
    changed."""

    def find(file: _Listed) -> Path | None:
        if file.digest in blobs:
            return blobs.path(file.digest)
        return next(filter(None, (there(root)(file) for root in roots)), None)

    return find


def bring_source(source: SourceState, blobs: BlobStore) -> None:
    """Has the source of a run at hand as a whole, where it is kept elsewhere."""
    with contextlib.suppress(StoreError, ValueError):
        lines = read_manifest(blobs.path(source.snapshot).read_bytes())
        blobs.bring([digest for _, _, digest in lines])


def there(root: Path) -> Find:
    """Out of a working tree."""

    def find(file: _Listed) -> Path | None:
        place = root / file.text
        with contextlib.suppress(OSError):
            is_link = file.mode == _LINK
            found = Digest.of(os.fsencode(os.readlink(place))) if is_link else digest_of(place)[0]
            return place if found == file.digest else None
        return None

    return find


def lay_out(source: SourceState, tree: Path, find: Find, blobs: BlobStore, report: Report) -> Snapshot:
    """Puts the files of a recorded source into the empty folder `tree`; returns what is there, which has the
    recorded digest.

    Of a file that the snapshot names and does not hold, and that is not to be found, a note says that it is
    missing. Raises Altered where what was recorded is no source, and SourceError where it is not there.
    """
    if source.snapshot not in blobs:
        raise SourceError(
            f"the store does not hold the source of the run (snapshot `{source.snapshot}`)",
            hint="`--from-git` takes it from the recorded repository",
        )
    listed = _listed(blobs, source.snapshot)
    _check_names(listed)
    held, missing = [], []
    # Links come last: nothing is written through one.
    for file in sorted(listed, key=lambda file: file.mode == _LINK):
        content = find(file)
        if content is None:
            missing.append(OmittedFile(path=file.text, reason="", digest=file.digest, mode=file.mode))
        else:
            held.append(_laid(tree, file, content))
    _check_missing(missing, source, blobs)
    snapshot = Snapshot(
        root=tree,
        files=tuple(held),
        omitted=(*(file for file in source.omitted if file.digest is None), *missing),
    )
    if snapshot.digest != source.snapshot:
        raise Altered("the source that was laid out is not the one that was recorded")
    _tell(snapshot, report)
    return snapshot


def _listed(blobs: BlobStore, manifest: Digest) -> tuple[_Listed, ...]:
    try:
        lines = read_manifest(blobs.path(manifest).read_bytes())
    except ValueError as error:
        raise Altered(f"the list of source files is not what was recorded: {error}") from error
    return tuple(_Listed(path=path, mode=mode, digest=digest) for path, mode, digest in lines)


def _check_names(files: Iterable[_Listed]) -> None:
    """A record may come from anybody: no file of it lands outside of the folder, or in git's own.

    Raises Altered.
    """
    links, folders, seen = set(), set(), set()
    for file in files:
        parts = file.path.split(b"/")
        if any(part in (b"", b".", b"..", b".git") for part in parts) or b"\0" in file.path:
            raise Altered(f"a source file is recorded at `{readable(file.path)}`: no place in a project")
        if file.path in seen:
            raise Altered(f"the source file `{readable(file.path)}` is recorded twice")
        seen.add(file.path)
        links |= {file.path} if file.mode == _LINK else set()
        folders |= {b"/".join(parts[:count]) for count in range(1, len(parts))}
    for path in sorted(folders & (links | seen)):
        raise Altered(f"the source file `{readable(path)}` is recorded as a folder, too")


def _laid(tree: Path, file: _Listed, content: Path) -> SnapshotFile:
    try:
        return _put(tree, file, content)
    except OSError as error:
        raise SourceError(
            f"the source file `{readable(file.path)}` cannot be laid out: {error.strerror}"
        ) from error


def _put(tree: Path, file: _Listed, content: Path) -> SnapshotFile:
    place = tree / file.text
    place.parent.mkdir(parents=True, exist_ok=True)
    if file.mode == _LINK:
        target = os.fsencode(os.readlink(content)) if content.is_symlink() else content.read_bytes()
        os.symlink(target, os.fsencode(place))
    else:
        shutil.copyfile(content, place)
        place.chmod(0o755 if file.mode & 0o111 else 0o644)
    return SnapshotFile(path=file.text, mode=file.mode, digest=file.digest, size=place.lstat().st_size)


def _check_missing(missing: Iterable[OmittedFile], source: SourceState, blobs: BlobStore) -> None:
    """Raises SourceError for files that the record says to hold."""
    omitted = set(_omitted(source, blobs))
    names = [f"`{readable(file.path)}`" for file in missing if file.digest not in omitted]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise SourceError(
            f"files of the source are not there as they were recorded: {', '.join(names[:_SHOWN])}{more}"
        )


def _omitted(source: SourceState, blobs: BlobStore) -> Iterator[Digest]:
    yield from (file.digest for file in source.omitted if file.digest is not None)
    if source.omitted_manifest is not None and source.omitted_manifest in blobs:
        yield from (file.digest for file in _listed(blobs, source.omitted_manifest))


def _tell(snapshot: Snapshot, report: Report) -> None:
    wanted = (file for file in snapshot.omitted if file.digest is not None or file.reason == IS_SECRET)
    names = [f"`{readable(file.path)}`" for file in wanted]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        told = ", ".join(names[:_SHOWN])
        report(Note(message=f"files of the source that the record does not hold are missing: {told}{more}"))


def project_in(tree: Path, subfolder: str) -> Path:
    """The project's folder in a source that was laid out in `tree`; made where no file lies in it. Raises
    Altered for one that is not in there, by its path or by a link of the source."""
    directory = tree / subfolder
    top = os.path.realpath(tree)
    if "\0" in subfolder or os.path.commonpath((top, os.path.realpath(directory))) != top:
        raise Altered(f"the project is recorded at `{readable(subfolder)}`, which leads out of its source")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Altered(f"the project is recorded at `{readable(subfolder)}`: {error.strerror}") from error
    return directory


def root_of(directory: str, subfolder: str) -> Path:
    """The root of the tree in which a project's folder lay."""
    return Path(posixpath.normpath(posixpath.join(directory, *(".." for _ in Path(subfolder).parts))))
