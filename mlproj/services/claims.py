"""Two runs that would write the same outputs wait for each other, so that each is credited with its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

import msgspec

from mlproj import files
from mlproj.model.digest import Digest
from mlproj.model.events import Note, Report

VARIABLE = "MLPROJ_CLAIMS"
"""Tells a run inside a run what the outer ones have claimed, so that it does not wait for them."""


class _Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A path to lock for the sake of `output`: alone where it is the output, shared where it lies above."""

    path: str
    output: str
    shared: bool


@contextlib.contextmanager
def claim(
    folder: Path, project: Path, outputs: Sequence[str], report: Report, *, inherited: str = ""
) -> Iterator[str]:
    """Holds the run's outputs for the length of the `with`, waiting (with a note) while another run does.

    Lock files lie in `folder`, one per path: an output is locked exclusively and every folder above it
    shared, so two outputs exclude each other just when one is the other or lies in it. A run that waits holds
    nothing meanwhile, so no two can wait for each other. `inherited` is the value of `VARIABLE` in our
    environment; what comes out is its value for the child's.
    """
    outer = _inherited(inherited)
    resolved = {os.path.realpath(project / output): output for output in outputs}
    ours = {
        path: output for path, output in resolved.items() if not any(_overlap(path, other) for other in outer)
    }
    with contextlib.ExitStack() as stack:
        _take(_locks(ours), folder, report, stack)
        yield json.dumps([*outer, *ours])


def _inherited(text: str) -> tuple[str, ...]:
    """The paths in the variable; none where it holds what no run has put there."""
    # Not by msgspec, which does not read the names of folders that are no UTF-8.
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(filter(_is_path, found)) if isinstance(found, list) else ()


def _is_path(found: object) -> TypeGuard[str]:
    return isinstance(found, str)


def _locks(paths: dict[str, str]) -> tuple[_Lock, ...]:
    """Every lock that the outputs need, each once."""
    wanted = {
        str(above): _Lock(path=str(above), output=output, shared=True)
        for path, output in paths.items()
        for above in Path(path).parents
    }
    wanted |= {path: _Lock(path=path, output=output, shared=False) for path, output in paths.items()}
    return tuple(wanted[path] for path in sorted(wanted))


def _take(locks: Sequence[_Lock], folder: Path, report: Report, stack: contextlib.ExitStack) -> None:
    told: set[str] = set()
    while (busy := _first_busy(locks, folder, stack)) is not None:
        stack.close()
        if busy.output not in told:
            told.add(busy.output)
            report(Note(message=f"waiting for another run that writes `{busy.output}`"))
        with files.locked(_file(busy, folder), shared=busy.shared):
            pass


def _first_busy(locks: Sequence[_Lock], folder: Path, stack: contextlib.ExitStack) -> _Lock | None:
    for lock in locks:
        if not stack.enter_context(files.locked_now(_file(lock, folder), shared=lock.shared)):
            return lock
    return None


def _file(lock: _Lock, folder: Path) -> Path:
    return folder / Digest.of(os.fsencode(lock.path)).hex[:32]


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
