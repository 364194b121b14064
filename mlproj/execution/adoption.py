"""Orphans of a run become ours while it goes on, so that those that ended are cleared away at its end.

Else they are left to process 1, which in many containers looks after nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable, Iterator

PR_SET_CHILD_SUBREAPER = 36
"""From `linux/prctl.h`."""


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """For the length of the `with`, processes below us whose parent ends are our children. Only on Linux."""
    adopts = _set(True)
    try:
        yield
    finally:
        if adopts:
            _set(False)


def clear_away(pids: Iterable[int]) -> None:
    """Takes note of the end of those that are children of ours and have ended."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _set(wanted: bool) -> bool:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0
