"""Keeps a built environment from being removed while somebody uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mlproj.files import lasting_lock
from mlproj.settings import use_lock


@contextlib.contextmanager
def in_use(cache: Path, key: str | None) -> Iterator[tuple[int, ...]]:
    """Has the environment `key` stay for the length of the `with`, and for as long as a program goes on that
    is given the descriptors. It is to begin before the environment is built or looked at.

    In a cache that cannot be written nothing is held, and nothing can be removed.
    """
    with contextlib.ExitStack() as stack:
        descriptors: tuple[int, ...] = ()
        if key is not None:
            with contextlib.suppress(OSError):
                descriptors = (stack.enter_context(lasting_lock(use_lock(cache, key), shared=True)),)
        yield descriptors
