"""The state of a project's source, and a snapshot of its files as they are in the working tree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from mlproj.model.digest import Digest, readable
from mlproj.model.events import Note, Report
from mlproj.model.moment import timestamp
from mlproj.model.source import IS_SECRET, LISTED, Checkout, OmittedFile, Snapshot, SourceState, Submodule
from mlproj.ports import SnapshotRules
from mlproj.process import ProgramMissing
from mlproj.provenance import rules as reasons
from mlproj.provenance.repository import (
    GitFailed,
    Listing,
    WorkTree,
    begin_listing,
    find_work_tree,
    is_ignored,
    read_listing,
    read_remote,
    work_tree,
)
from mlproj.provenance.rules import Sieve
from mlproj.provenance.shelf import Shelf
from mlproj.provenance.snapshot import take_snapshot
from mlproj.provenance.walk import walk_source

_CHANGES = 100


def observed_source(
    checkout: Checkout, rules: SnapshotRules, cache: Path, report: Report
) -> tuple[SourceState, Snapshot]:
    """State and snapshot of the repository that the project lies in, or of its folder where there is none.

    Raises ProjectError where a file changes again and again while it is read.
    """
    tree = find_work_tree(checkout, report)
    if tree is not None:
        try:
            return _with_git(tree, checkout, rules, cache, report)
        except _NotOfTheRepository:
            pass
        except (GitFailed, ProgramMissing) as error:
            report(Note(message=f"the repository at `{tree.root}` is not looked at: {error}"))
    return _without_git(checkout, rules, cache, report)


def date_of_commit(checkout: Checkout, report: Report) -> str | None:
    """When the commit was made that the project's folder is at (RFC 3339); None where it is at none."""
    tree = find_work_tree(checkout, report)
    if tree is None:
        return None
    done = tree.ask("log", "-1", "--format=%ct", "HEAD", directory=checkout.directory)
    untracked = not tree.ask("ls-files", "--", ".", directory=checkout.directory).text
    if done.code != 0 or (untracked and is_ignored(tree, checkout.directory)):
        return None
    return timestamp(float(done.text))


class _NotOfTheRepository(Exception):
    """Git knows nothing of the project's folder, and ignores it."""


def _with_git(
    tree: WorkTree, checkout: Checkout, rules: SnapshotRules, cache: Path, report: Report
) -> tuple[SourceState, Snapshot]:
    prefix = _prefix(checkout.directory, tree.root)
    gathered = _Gathered(root=tree.root, sieve=Sieve(rules, prefix))
    shelf = Shelf(gathered.sieve)
    listing, complete = begin_listing(tree)

    def groups() -> Iterator[Iterable[bytes]]:
        yield list(_without_outputs(gathered, listing.tracked))
        # What git tracks has been gone through while `git status` was at work.
        complete()
        if not _knows(listing, os.fsencode(prefix)) and is_ignored(tree, checkout.directory):
            raise _NotOfTheRepository
        _gather_others(gathered, b"", listing, report)
        yield gathered.kept
        gathered.put_aside(shelf)
        shelf.note_deleted(listing.deleted)

    snapshot = take_snapshot(gathered.root, groups(), shelf, cache, report)
    state = replace(
        _state(checkout, prefix, gathered, snapshot),
        remote=read_remote(tree, listing.branch),
        commit=listing.commit,
        branch=listing.branch,
        dirty=bool(gathered.changes),
        changes=tuple(readable(path) for path in sorted(gathered.changes)[:_CHANGES]),
    )
    return state, snapshot


def _without_git(
    checkout: Checkout, rules: SnapshotRules, cache: Path, report: Report
) -> tuple[SourceState, Snapshot]:
    prefix = _prefix(checkout.directory, checkout.root)
    gathered = _Gathered(root=checkout.root, sieve=Sieve(rules, prefix))
    shelf = Shelf(gathered.sieve)
    _gather_folder(gathered, b"", report)
    gathered.put_aside(shelf)
    snapshot = take_snapshot(gathered.root, [gathered.kept], shelf, cache, report)
    return _state(checkout, prefix, gathered, snapshot), snapshot


def _state(checkout: Checkout, prefix: str, gathered: _Gathered, snapshot: Snapshot) -> SourceState:
    """What is known of a tree that no repository is asked about."""
    beyond = snapshot.omitted_manifest
    return SourceState(
        uri=checkout.uri,
        revision=checkout.revision,
        subfolder=readable(prefix),
        submodules=tuple(sorted(gathered.submodules, key=lambda submodule: submodule.path)),
        snapshot=snapshot.digest,
        files=len(snapshot.files),
        omitted=_shown(snapshot.omitted),
        omitted_manifest=None if beyond is None else Digest.of(beyond),
    )


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What has been found so far. Paths are relative to the root; `kept` are to be held, or to be tried."""

    root: Path
    sieve: Sieve
    kept: list[bytes] = field(default_factory=list)
    untracked: list[bytes] = field(default_factory=list)
    omitted: dict[bytes, str] = field(default_factory=dict)
    changes: list[bytes] = field(default_factory=list)
    submodules: list[Submodule] = field(default_factory=list)

    def leave_out(self, path: bytes, reason: str) -> None:
        self.omitted.setdefault(path, reason or reasons.OUTPUT)

    def put_aside(self, shelf: Shelf) -> None:
        """Tells the shelf what is left out, and what git does not track."""
        shelf.note_untracked(self.untracked)
        for path, reason in self.omitted.items():
            shelf.omit(path, reason)


def _knows(listing: Listing, folder: bytes) -> bool:
    """Whether git has anything to say of what is in the folder (empty for the root)."""
    inside = folder + b"/"
    return (
        not folder
        or any(path.startswith(inside) for paths in (listing.tracked, listing.untracked) for path in paths)
        or any(folder == path or path.startswith(inside) for path in (*listing.links, *listing.nested))
    )


def _gather_repository(gathered: _Gathered, at: bytes, listing: Listing, report: Report) -> None:
    """Adds all files of a repository within; `at` is its place below the root, with a `/` at the end."""
    tracked = [at + path for path in listing.tracked if path not in listing.deleted]
    gathered.kept.extend(_without_outputs(gathered, tracked))
    _gather_others(gathered, at, listing, report)


def _gather_others(gathered: _Gathered, at: bytes, listing: Listing, report: Report) -> None:
    """Adds what a repository does not track itself, and what is changed in it; `at` is as above, or empty."""
    sieve = gathered.sieve
    changed = [at + path for path in listing.changed]
    gathered.changes.extend(path for path in changed if sieve.output(path) is None)
    untracked = [at + path for path in listing.untracked]
    sieve.note_environments(untracked)
    for path in _without_outputs(gathered, untracked):
        found = sieve.untracked(path)
        if found is None or found[1] == IS_SECRET:
            gathered.changes.append(path)
        if found is None:
            gathered.kept.append(path)
            gathered.untracked.append(path)
        else:
            gathered.leave_out(*found)
    for path in listing.nested:
        if found := sieve.folder(at + path):
            gathered.leave_out(*found)
        elif any(_without_outputs(gathered, [at + path])):
            gathered.changes.append(at + path)
            _gather_nested(gathered, at + path, None, report)
    for path, commit in listing.links.items():
        _gather_nested(gathered, at + path, commit, report)


def _without_outputs(gathered: _Gathered, paths: Iterable[bytes]) -> Iterable[bytes]:
    """The paths that lie in no declared output; the outputs that others lie in are noted as left out."""
    if not gathered.sieve.has_outputs:
        yield from paths
        return
    for path in paths:
        output = gathered.sieve.output(path)
        if output is None:
            yield path
        else:
            gathered.leave_out(output if output == path else output + b"/", reasons.OUTPUT)


def _gather_nested(gathered: _Gathered, path: bytes, commit: str | None, report: Report) -> None:
    """Adds a submodule or nested repository; `commit` is the one that the index around it names."""
    place = gathered.root / os.fsdecode(path)
    if not os.path.lexists(place / ".git"):
        gathered.submodules.append(Submodule(path=readable(path), commit=commit, dirty=False))
        return
    try:
        listing = read_listing(work_tree(place))
    except (GitFailed, ProgramMissing, OSError) as error:
        report(Note(message=f"the repository at `{readable(path)}` is not looked at: {error}"))
        _gather_folder(gathered, path, report)
        return
    before = len(gathered.changes)
    _gather_repository(gathered, path + b"/", listing, report)
    dirty = len(gathered.changes) > before
    gathered.submodules.append(Submodule(path=readable(path), commit=listing.commit, dirty=dirty))


def _gather_folder(gathered: _Gathered, folder: bytes, report: Report) -> None:
    """Adds the files of a folder without git."""
    sieve = gathered.sieve
    nested: list[bytes] = []
    found_files: list[bytes] = []
    for path, is_repository in walk_source(os.fsencode(gathered.root), folder, sieve, gathered.leave_out):
        (nested if is_repository else found_files).append(path)
    for path in _without_outputs(gathered, found_files):
        if found := sieve.untracked(path):
            gathered.leave_out(*found)
        else:
            gathered.kept.append(path)
    for path in nested:
        _gather_nested(gathered, path, None, report)


def _shown(omitted: tuple[OmittedFile, ...]) -> tuple[OmittedFile, ...]:
    """As the record holds them: with names that JSON can hold, and not too many."""
    if len(omitted) > LISTED:
        omitted = tuple(sorted(omitted, key=lambda file: file.digest is not None)[:LISTED])
    return tuple(replace(file, path=readable(file.path)) for file in omitted)


def _prefix(directory: Path, root: Path) -> str:
    path = os.path.relpath(os.path.realpath(directory), os.path.realpath(root))
    return "" if path == "." else path
