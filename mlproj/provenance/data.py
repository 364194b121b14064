"""The digest of a piece of data, a file or a folder, such that `sha256sum` confirms it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlproj.errors import DataError
from mlproj.model.digest import Digest, folder_manifest, readable
from mlproj.model.events import Note, Report
from mlproj.model.provenance import InputState
from mlproj.ports import ObservedInput
from mlproj.provenance.digests import Read, Unread, read_all
from mlproj.provenance.statcache import StatCache, fingerprint_of
from mlproj.provenance.walk import walk_data

_NOTES = 10
"""How many skipped files are told of one by one."""


def observed_data(
    name: str, path: Path, project: Path, *, declared: bool, cache: Path, report: Report
) -> ObservedInput:
    """The state of the file or folder at `path`; the manifest too for a folder.

    Raises DataError where it is not there, cannot be read, or is neither.
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
    if stat.S_ISDIR(status.st_mode):
        manifest, size, files = _folder(path, cache, report)
        digest = Digest.of(manifest)
    elif stat.S_ISREG(status.st_mode):
        manifest, files = None, 1
        digest, size = _file(path, status, cache, report)
    else:
        raise DataError(f"data `{readable(name)}` is neither a file nor a folder: `{shown}`")
    state = InputState(
        name=readable(name),
        path=shown,
        kind="file" if manifest is None else "folder",
        digest=digest,
        size=size,
        files=files,
        declared=declared,
    )
    return ObservedInput(state=state, manifest=manifest)


def _shown(path: Path, project: Path) -> str:
    """The path as it is recorded: relative to the project inside of it, else absolute."""
    absolute = os.path.abspath(path)
    for base in (os.path.abspath(project), os.path.realpath(project)):
        if absolute.startswith(base + "/"):
            return readable(absolute[len(base) + 1 :])
    return "." if absolute == os.path.abspath(project) else readable(absolute)


def _file(path: Path, status: os.stat_result, cache: Path, report: Report) -> tuple[Digest, int]:
    absolute = os.fsencode(os.path.realpath(path))
    remembered = StatCache(cache, Path(os.fsdecode(absolute)), purpose="file")
    known = remembered.get(b"", fingerprint_of(status))
    if known is None:
        unread = Unread(b"", absolute, status)
        read = _checked(absolute, read_all([unread], remembered, report, follow=True)[b""])
        remembered.save()
        return Digest.from_raw(read.digest), read.size
    return Digest.from_raw(known), status.st_size


def _folder(path: Path, cache: Path, report: Report) -> tuple[bytes, int, int]:
    """The folder's manifest, the sum of its files' sizes, and their number."""
    root = os.fsencode(os.path.realpath(path))
    remembered = StatCache(cache, Path(os.fsdecode(root)), purpose="data")
    skipped: list[str] = []
    files: list[tuple[bytes, Digest]] = []
    unread: list[Unread] = []
    size = 0
    for name, place, status in walk_data(root, lambda at, why: skipped.append(f"`{readable(at)}` {why}")):
        known = remembered.get(name, fingerprint_of(status))
        if known is None:
            unread.append(Unread(name, place, status))
        else:
            files.append((name, Digest.from_raw(known)))
            size += status.st_size
    results = read_all(unread, remembered, report, follow=True)
    for file in unread:
        read = _checked(file.path, results[file.key])
        files.append((file.key, Digest.from_raw(read.digest)))
        size += read.size
    remembered.save()
    for line in skipped[:_NOTES]:
        report(Note(message=f"left out of the digest: {line}"))
    if len(skipped) > _NOTES:
        report(Note(message=f"and {len(skipped) - _NOTES} more left out of the digest"))
    return folder_manifest(files), size, len(files)


def _checked(path: bytes, result: Read | OSError) -> Read:
    if isinstance(result, OSError):
        raise DataError(f"cannot read `{readable(path)}`: {result.strerror}") from result
    return result
