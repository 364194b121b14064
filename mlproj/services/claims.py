"""Two runs that would write the same outputs wait for each other, so that each is credited with its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeGuard

import msgspec

from mlproj import files
from mlproj.model.digest import Digest
from mlproj.model.events import Note, Report
from mlproj.services.circles import overlap, waiting

VARIABLE = "MLPROJ_CLAIMS"
"""Tells a run inside a run what the outer ones have claimed, so that it does not wait for them."""


class _Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A path to lock for the sake of `output`: alone where it is the output, shared where it lies above."""

    path: str
    output: str
    shared: bool


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What is claimed: `value` is that of `VARIABLE` for the child, and `descriptors` hold its locks.

    A child that is given these keeps the claim when we are killed, for it goes on writing.
    """

    value: str
    descriptors: tuple[int, ...]


@contextlib.contextmanager
def claim(
    folder: Path, project: Path, outputs: Sequence[str], report: Report, *, inherited: str = ""
) -> Iterator[Claim]:
    """Holds the run's outputs for the length of the `with`, waiting (with a note) while another run does.

    Lock files lie in `folder`, one per path: an output is locked exclusively and every folder above it
    shared, so two outputs exclude each other just when one is the other or lies in it. A run that waits holds
    nothing meanwhile, so no two can wait for each other, unless what they are in does: then the later one is
    Refused. `inherited` is the value of `VARIABLE` in our environment.
    """
    outer = _inherited(inherited)
    resolved = {os.path.realpath(project / output): output for output in outputs}
    ours = {
        path: output for path, output in resolved.items() if not any(overlap(path, other) for other in outer)
    }
    with contextlib.ExitStack() as stack:
        meanwhile = partial(waiting, folder, outer, tuple(ours))
        descriptors = _take(_locks(ours), folder, report, stack, meanwhile)
        yield Claim(value=json.dumps([*outer, *ours]), descriptors=descriptors)


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


def _take(
    locks: Sequence[_Lock],
    folder: Path,
    report: Report,
    stack: contextlib.ExitStack,
    meanwhile: Callable[[], contextlib.AbstractContextManager[None]],
) -> tuple[int, ...]:
    """Takes all locks, or none and waits; while it does, in the context `meanwhile`."""
    told: set[str] = set()
    while isinstance(taken := _all_or_busy(locks, folder, stack), _Lock):
        stack.close()
        if taken.output not in told:
            told.add(taken.output)
            report(Note(message=f"waiting for another run that writes `{taken.output}`"))
        with meanwhile(), files.locked(_file(taken, folder), shared=taken.shared):
            pass
    return taken


def _all_or_busy(
    locks: Sequence[_Lock], folder: Path, stack: contextlib.ExitStack
) -> tuple[int, ...] | _Lock:
    """The descriptors of all locks, or the first lock that somebody else holds."""
    descriptors = []
    for lock in locks:
        descriptor = stack.enter_context(files.inheritable_lock(_file(lock, folder), shared=lock.shared))
        if descriptor is None:
            return lock
        descriptors.append(descriptor)
    return tuple(descriptors)


def _file(lock: _Lock, folder: Path) -> Path:
    return folder / Digest.of(os.fsencode(lock.path)).hex[:32]
