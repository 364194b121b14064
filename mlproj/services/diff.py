"""`mlproj diff A B`: what differs between two runs, with their source as a patch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.compare.runs import Contents, File, FileChange, RunDifference, compare_runs
from mlproj.errors import Altered
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.environment import LockedPackage
from mlproj.model.run import Run
from mlproj.model.tolerance import Allowed, exact
from mlproj.services.judging import JudgedFile, judge_outputs
from mlproj.spec.locks import Unreadable, packages_in
from mlproj.store_ports import ReadableBlobs, RunStore

SIZE_LIMIT = 512 * 1024
"""A file with more bytes is named as changed, but its lines are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A source file that differs. `text` is a unified diff, empty where `note` says why there is none."""

    path: str
    text: str = ""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What differs, the patches of the source's files, and what differs within outputs."""

    difference: RunDifference
    patches: tuple[Patch, ...]
    contents: tuple[JudgedFile, ...]


def diff(store: RunStore, before: Run, after: Run, allowed: Allowed = exact) -> Diff:
    """How `after` differs from `before`. Numbers in an output are the same within the tolerance that is
    `allowed` for its path. Raises Altered where a manifest is not what was recorded."""
    return difference_by(store.blobs, before, after, allowed)


def difference_by(blobs: ReadableBlobs, before: Run, after: Run, allowed: Allowed = exact) -> Diff:
    """As `diff`, by those contents alone."""
    contents = (contents_of(blobs, before), contents_of(blobs, after))
    difference = compare_runs(before, after, contents)
    return Diff(
        difference=difference,
        patches=tuple(_patch(blobs, change) for change in difference.files),
        contents=judge_outputs(blobs, before, after, allowed),
    )


def contents_of(blobs: ReadableBlobs, run: Run) -> Contents:
    """The files of a run's source and the packages of its lock. Raises Altered."""
    if run.job is None:
        return Contents()
    environment = run.job.environment
    return Contents(
        files=_files(blobs, run.job.source.snapshot, run),
        packages=_packages(blobs, environment.lock_file, environment.lock_format),
    )


def _files(blobs: ReadableBlobs, snapshot: Digest, run: Run) -> Mapping[str, File] | None:
    if snapshot not in blobs:
        return None
    try:
        entries = read_manifest(blobs.path(snapshot).read_bytes())
    except ValueError as error:
        raise Altered(
            f"the list of source files of run `{run.run_id}` is not what was recorded: {error}",
            hint="`mlproj verify` tells what else was altered",
        ) from error
    return {readable(path): (mode, digest) for path, mode, digest in entries}


def _packages(
    blobs: ReadableBlobs, lock_file: Digest | None, lock_format: str | None
) -> tuple[LockedPackage, ...] | None:
    if lock_file is None or lock_file not in blobs:
        return None
    try:
        return packages_in(blobs.path(lock_file).read_bytes(), lock_format)
    except Unreadable:
        return None


def _patch(blobs: ReadableBlobs, change: FileChange) -> Patch:
    sides = (change.before, change.after)
    held = [blobs.path(side[1]) for side in sides if side is not None and side[1] in blobs]
    if len(held) < sum(side is not None for side in sides):
        return Patch(path=change.path, note="its content was not kept")
    if any(path.stat().st_size > SIZE_LIMIT for path in held):
        return Patch(path=change.path, note="it is too large to be shown line by line")
    before, after = (_lines(blobs, side) for side in sides)
    if before is None or after is None:
        return Patch(path=change.path, note="it is not text")
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(
            before,
            after,
            fromfile=f"a/{change.path}" if change.before else "/dev/null",
            tofile=f"b/{change.path}" if change.after else "/dev/null",
        )
    )
    return Patch(path=change.path, text=text, note=_mode_change(change))


def _mode_change(change: FileChange) -> str | None:
    if change.before is None or change.after is None or change.before[0] == change.after[0]:
        return None
    return f"its mode changed from {change.before[0]:o} to {change.after[0]:o}"


def _lines(blobs: ReadableBlobs, side: File | None) -> list[str] | None:
    """A file's lines, none for a file that is not there; None for one that is no text."""
    if side is None:
        return []
    content = Path(blobs.path(side[1])).read_bytes()
    if b"\0" in content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    return (
        [*(f"{line}\n" for line in lines[:-1]), *lines[-1:]]
        if lines[-1]
        else [f"{line}\n" for line in lines[:-1]]
    )
