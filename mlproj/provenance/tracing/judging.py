"""Holds what was opened against what a record says already: what is left is data that nobody declared."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from mlproj.errors import DataError
from mlproj.model.digest import readable
from mlproj.model.events import Report
from mlproj.model.provenance import InputState
from mlproj.ports import Recorded
from mlproj.provenance.data import digest_of_files, observed_data
from mlproj.provenance.tracing.grouping import Found, grouped
from mlproj.provenance.tracing.openings import Openings
from mlproj.provenance.tracing.rules import Rules

MOST_LISTED = 200
"""So many files and folders are named in a record."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Paths (absolute, without links) of data that was read, by size; those that the run changed after it had
    read them; and those that it wrote, where no record would look for them."""

    read: dict[str, int]
    changed: frozenset[str]
    written: tuple[str, ...]


def judge(openings: Openings, recorded: Recorded, since: int) -> Data:
    """`since` is when the run began, in nanoseconds: what is younger, and was not read before, is its own."""
    rules = Rules(recorded)
    read: dict[str, int] = {}
    changed: set[str] = set()
    for path, state, name in _there(openings.read, recorded, rules):
        if state.st_ctime_ns >= since:
            if not openings.were_old and name not in openings.written:
                continue
            changed.add(path)
        read[path] = state.st_size
    there = _there(openings.written, recorded, rules)
    written = [path for path, state, _ in there if state.st_ctime_ns >= since]
    return Data(
        read=read,
        changed=frozenset(changed),
        written=tuple(shown(path, recorded.project) for path in written if path not in read),
    )


def _there(
    paths: Iterable[str], recorded: Recorded, rules: Rules
) -> Iterator[tuple[str, os.stat_result, str]]:
    """The regular files among them that are data and still there, each once, however it was called."""
    seen: set[str] = set()
    real = functools.lru_cache(maxsize=1 << 16)(os.path.realpath)
    for name in paths:
        here = _here(name, recorded.mounts)
        path = "" if here is None else rules.source_of(_straight(here, real))
        if not path or path in seen:
            continue
        seen.add(path)
        if rules.is_recorded(path) or not rules.is_data(path):
            continue
        try:
            state = os.stat(path)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(state.st_mode):
            yield path, state, name


def _straight(path: str, real: Callable[[str], str]) -> str:
    """The path without links. Many files lie in few folders, of which each is looked at once."""
    folder, _, name = path.rpartition("/")
    whole = f"{real(folder or '/').rstrip('/')}/{name}"
    if name in ("", ".", "..") or os.path.islink(whole):
        return os.path.realpath(path)
    return whole


def _here(path: str, mounts: tuple[tuple[str, str], ...] | None) -> str | None:
    """The path as it is on this machine; None for one in the image of a container."""
    if mounts is None:
        return path
    path = os.path.normpath(path)
    for target, source in sorted(mounts, key=lambda mount: len(mount[0]), reverse=True):
        if path == target or path.startswith(target.rstrip("/") + "/"):
            return source + path[len(target.rstrip("/")) :]
    return None


class Digested(msgspec.Struct, frozen=True, kw_only=True):
    """States of what was read, and sentences on what is missing in them."""

    reads: tuple[InputState, ...]
    notes: tuple[str, ...]


def digested(data: Data, recorded: Recorded, limit: int, cache: Path, report: Report) -> Digested:
    """The states of what was read, the smallest digested first, up to `limit` bytes of all."""
    apart = (os.path.realpath(recorded.project), os.path.expanduser("~"))
    found = grouped(data.read, apart)
    sizes = {item: sum(map(data.read.__getitem__, _files(item))) for item in found}
    states: dict[Found, InputState] = {}
    spent, notes = 0, []
    for item in sorted(found, key=sizes.__getitem__)[:MOST_LISTED]:
        bare = _bare(item, sizes[item], recorded.project)
        spent += sizes[item]
        if spent > limit:
            notes.append(f"`{bare.path}` is beyond the limit of what is digested")
        elif any(path in data.changed for path in _files(item)):
            notes.append(f"`{bare.path}` was changed by the run after it was read")
        else:
            bare, told = _with_digest(bare, item, recorded.project, cache, report)
            notes += told
        states[item] = bare
    if len(found) > MOST_LISTED:
        notes.append(f"{len(found) - MOST_LISTED} further files and folders were read and are not listed")
    return Digested(reads=tuple(states[item] for item in found if item in states), notes=tuple(notes))


def _bare(item: Found, size: int, project: Path) -> InputState:
    name = shown(item.path, project)
    return InputState(
        name=name,
        path=name,
        kind="folder" if item.names else "file",
        digest=None,
        size=size,
        files=len(item.names) or 1,
        declared=False,
    )


def _with_digest(
    bare: InputState, item: Found, project: Path, cache: Path, report: Report
) -> tuple[InputState, list[str]]:
    try:
        if item.names:
            digest, size = digest_of_files(item.path, item.names, cache, report)
            return msgspec.structs.replace(bare, digest=digest, size=size), []
        seen = observed_data(
            bare.name, Path(item.path), project, declared=False, cache=cache, report=report
        ).state
        return msgspec.structs.replace(bare, digest=seen.digest, size=seen.size), []
    except DataError as error:
        return bare, [error.message]


def _files(item: Found) -> Iterator[str]:
    return (f"{item.path}/{name}" for name in item.names) if item.names else iter((item.path,))


def shown(path: str, project: Path) -> str:
    """As a person would declare it: relative to the project inside of it, else absolute."""
    root = os.path.realpath(project).rstrip("/") + "/"
    return readable(path[len(root) :] if path.startswith(root) else path)
