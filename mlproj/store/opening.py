"""The entrance to a store in a folder: found, made if need be, and judged whether it can be written to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.model.moment import now
from mlproj.store.database import FILE, open_readonly, open_writable
from mlproj.store.destination import choose
from mlproj.store.failures import explained
from mlproj.store.folder import FolderStore
from mlproj.store.founding import followed, in_use, make_folder, refuse_network
from mlproj.store.locating import owned
from mlproj.store.machine import this_machine
from mlproj.store.room import has_room


def open_store(
    path: Path, *, create: bool, clock: Callable[[], str] = now, destination: str | None = None
) -> FolderStore:
    """The store in the folder `path`, made there if it is none yet and `create` says so. With `destination`,
    a folder or a URL, its contents are to lie there.

    A store that cannot be written to, or is another user's, is opened for reading. Raises StoreError where
    there is none, where it is damaged, of a newer version, on a network file system, or where `path` is a
    folder with something else in it.
    """
    root = Path(os.path.abspath(path))
    with explained(root), contextlib.ExitStack() as held:
        root, writable = _found(root, create, held)
        connection = open_writable(root, create=create) if writable else open_readonly(root)
        held.callback(connection.close)
        if destination is not None:
            choose(connection, root, destination, os.environ)
        return FolderStore(
            root,
            connection,
            writable=writable,
            machine=this_machine(),
            clock=clock,
            let_go=held.pop_all().close,
        )


def _found(root: Path, create: bool, held: contextlib.ExitStack) -> tuple[Path, bool]:
    """Where the store is, and whether it can be written to; if so, it stays there while `held` lasts."""
    while True:
        root = followed(root)
        writable = _is_writable(root, create)
        if not writable:
            return root, False
        held.enter_context(in_use(root))
        if followed(root) == root:
            return root, True
        held.close()  # it was moved while we waited


def _is_writable(root: Path, create: bool) -> bool:
    """Whether the store there, made if there is none and `create` says so, is ours to write to."""
    if (root / FILE).exists():
        writable = owned(root) and os.access(root, os.W_OK) and os.access(root / FILE, os.W_OK)
        if writable:
            refuse_network(root)
        return writable and has_room(root)
    if not create:
        raise StoreError(f"there is no store at `{root}`", hint="`mlproj run` makes one")
    refuse_network(root)
    make_folder(root)
    return True
