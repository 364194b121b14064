"""Runs inside runs that wait for each other's outputs in a circle would wait for ever: the last is refused.

Who waits holds nothing itself, but the runs that it is in hold what they have claimed, and wait for it. So it
notes beside the locks what those hold and what it wants, for as long as it waits; and whoever comes to wait
looks at these notes first, one at a time.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from mlproj import files
from mlproj.errors import Refused

_NOTE = "waiting-"


class _Waiter(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits: paths that the runs around it hold, and those that it wants."""

    holds: tuple[str, ...]
    wants: tuple[str, ...]

    def waits_for(self, other: _Waiter) -> bool:
        return any(overlap(wanted, held) for wanted in self.wants for held in other.holds)


@contextlib.contextmanager
def waiting(folder: Path, holds: Sequence[str], wants: Sequence[str]) -> Iterator[None]:
    """Notes for the length of the `with`, in `folder`, that a run within those that hold `holds` waits for
    `wants`. Raises Refused where one of those who wait would wait for it in turn."""
    ours = _Waiter(holds=tuple(holds), wants=tuple(wants))
    if not ours.holds:  # nobody waits for it
        yield
        return
    path = folder / f"{_NOTE}{secrets.token_hex(8)}"
    try:
        with files.inheritable_lock(path) as descriptor:
            assert descriptor is not None, "nobody else knows of it yet"
            with files.locked(folder / "circles"):
                _refuse_circle(ours, _others(folder))
                # Not by msgspec, which does not write the names of folders that are no UTF-8.
                files.write_all(descriptor, json.dumps([ours.holds, ours.wants]).encode())
            yield
    finally:
        path.unlink(missing_ok=True)


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _refuse_circle(ours: _Waiter, others: Collection[_Waiter]) -> None:
    reached, rest = [ours], list(others)
    while reached:
        waiter = reached.pop()
        if waiter is not ours and waiter.waits_for(ours):
            raise Refused(
                f"the run would wait for ever: who writes `{ours.wants[0]}` waits for what the run that this"
                " one is in writes",
                hint="start one of them when the other has ended, or give them outputs of their own",
            )
        reached += [other for other in rest if waiter.waits_for(other)]
        rest = [other for other in rest if not waiter.waits_for(other)]


def _others(folder: Path) -> list[_Waiter]:
    """Those who wait now. What somebody noted who was killed is removed."""
    found = []
    for path in folder.glob(f"{_NOTE}*"):
        with files.locked_now(path) as ended:
            if ended:
                path.unlink(missing_ok=True)
                continue
        with contextlib.suppress(OSError, ValueError):
            holds, wants = json.loads(path.read_bytes())
            found.append(_Waiter(holds=tuple(holds), wants=tuple(wants)))
    return found
