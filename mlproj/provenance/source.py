"""The state of a project's source, and a snapshot of its files as they are in the working tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from mlproj.model.digest import readable
from mlproj.model.events import Note, Report
from mlproj.model.source import Checkout, OmittedFile, Snapshot, SourceState, Submodule
from mlproj.ports import SnapshotRules
from mlproj.process import ProgramMissing
from mlproj.provenance import rules as reasons
from mlproj.provenance.repository import (
    GitFailed,
    Listing,
    WorkTree,
    find_work_tree,
    is_ignored,
    read_listing,
    read_remote,
    work_tree,
)
from mlproj.provenance.rules import Sieve
from mlproj.provenance.snapshot import take_snapshot
from mlproj.provenance.walk import walk_source

_CHANGES = 100


def observed_source(
    checkout: Checkout, rules: SnapshotRules, cache: Path, report: Report
) -> tuple[SourceState, Snapshot]:
    """State and snapshot of the repository that the project lies in, or of its folder where there is none."""
    tree = find_work_tree(checkout, report)
    listing = None if tree is None else _listed(tree, checkout, report)
    if tree is None or listing is None:
        return _without_git(checkout, rules, cache, report)
    gathered = _Gathered(root=tree.root, sieve=Sieve(rules, _prefix(checkout.directory, tree.root)))
    _gather_repository(gathered, b"", listing, report)
    snapshot = take_snapshot(
        gathered.root,
        gathered.kept,
        gathered.omitted,
        gathered.sieve,
        cache,
        report,
        untracked=gathered.untracked,
    )
    state = SourceState(
        uri=checkout.uri,
        revision=checkout.revision,
        remote=read_remote(tree, listing.branch),
        commit=listing.commit,
        branch=listing.branch,
        subfolder=readable(_prefix(checkout.directory, tree.root)),
        dirty=bool(gathered.changes),
        changes=tuple(readable(path) for path in sorted(gathered.changes)[:_CHANGES]),
        submodules=tuple(sorted(gathered.submodules, key=lambda submodule: submodule.path)),
        snapshot=snapshot.digest,
        files=len(snapshot.files),
        omitted=_shown(snapshot.omitted),
    )
    return state, snapshot


def _without_git(
    checkout: Checkout, rules: SnapshotRules, cache: Path, report: Report
) -> tuple[SourceState, Snapshot]:
    gathered = _Gathered(root=checkout.root, sieve=Sieve(rules, _prefix(checkout.directory, checkout.root)))
    _gather_folder(gathered, b"", report)
    snapshot = take_snapshot(
        gathered.root,
        gathered.kept,
        gathered.omitted,
        gathered.sieve,
        cache,
        report,
        untracked=gathered.untracked,
    )
    state = SourceState(
        uri=checkout.uri,
        revision=checkout.revision,
        subfolder=readable(_prefix(checkout.directory, checkout.root)),
        submodules=tuple(sorted(gathered.submodules, key=lambda submodule: submodule.path)),
        snapshot=snapshot.digest,
        files=len(snapshot.files),
        omitted=_shown(snapshot.omitted),
    )
    return state, snapshot


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What has been found so far. Paths are relative to the root; `kept` are to be held, or to be tried."""

    root: Path
    sieve: Sieve
    kept: list[bytes] = field(default_factory=list)
    untracked: set[bytes] = field(default_factory=set)
    omitted: dict[bytes, str] = field(default_factory=dict)
    changes: list[bytes] = field(default_factory=list)
    submodules: list[Submodule] = field(default_factory=list)

    def leave_out(self, path: bytes, reason: str) -> None:
        self.omitted.setdefault(path, reason or reasons.OUTPUT)


def _listed(tree: WorkTree, checkout: Checkout, report: Report) -> Listing | None:
    """The repository's listing, or None where git knows nothing of the project's folder (or fails)."""
    try:
        listing = read_listing(tree)
    except (GitFailed, ProgramMissing) as error:
        report(Note(message=f"the repository at `{tree.root}` is not looked at: {error}"))
        return None
    prefix = os.fsencode(_prefix(checkout.directory, tree.root))
    if prefix:
        inside = prefix + b"/"
        known = (*listing.links, *listing.nested)
        found = any(
            path.startswith(inside) for paths in (listing.tracked, listing.untracked) for path in paths
        )
        covered = any(prefix == path or path.startswith(inside) for path in known)
        if not found and not covered and is_ignored(tree, checkout.directory):
            return None
    return listing


def _gather_repository(gathered: _Gathered, at: bytes, listing: Listing, report: Report) -> None:
    """Adds a repository's files; `at` is its place below the root, with a `/` at the end unless empty."""
    sieve = gathered.sieve
    changed = [at + path for path in listing.changed] if listing.changed else []
    gathered.changes.extend(path for path in changed if sieve.output(path) is None)
    if at or listing.deleted or sieve.has_outputs:
        tracked = [at + path for path in listing.tracked if path not in listing.deleted]
        gathered.kept.extend(_without_outputs(gathered, tracked))
    else:
        gathered.kept.extend(listing.tracked)
    untracked = [at + path for path in listing.untracked]
    sieve.note_environments(untracked)
    for path in _without_outputs(gathered, untracked):
        found = sieve.untracked(path)
        if found is None or found[1] == reasons.SECRET:
            gathered.changes.append(path)
        if found is None:
            gathered.kept.append(path)
            gathered.untracked.add(path)
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
    """As the record holds them: with names that JSON can hold."""
    return tuple(replace(file, path=readable(file.path)) for file in omitted)


def _prefix(directory: Path, root: Path) -> str:
    path = os.path.relpath(os.path.realpath(directory), os.path.realpath(root))
    return "" if path == "." else path
