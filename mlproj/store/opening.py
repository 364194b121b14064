"""The entrance to a store in a folder: found, made if need be, and judged whether it can be written to."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlproj.errors import StoreError
from mlproj.model.moment import now
from mlproj.store.connection import Connection
from mlproj.store.database import FILE, open_readonly, open_writable
from mlproj.store.destination import choose, destination_of
from mlproj.store.failures import explained
from mlproj.store.folder import FolderStore
from mlproj.store.founding import followed, in_use, make_folder, place_database, refuse_network
from mlproj.store.locating import DESTINATIONS, owned
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
        if destination is not None:
            choose(connection, root, destination, os.environ)
        return _store(root, connection, held, writable=writable, clock=clock)


def open_store_by_file(
    file: Path, root: Path, *, create: bool, destination: str | None = None
) -> FolderStore:
    """The store in the folder `root` whose database is the `file` elsewhere, both made if need be and
    `create` says so; otherwise as `open_store`."""
    root = Path(os.path.abspath(root))
    with explained(root):
        place_database(root, file, create=create)
    return open_store(root, create=create, destination=destination)


def open_served_store(
    database_uri: str,
    root: Path,
    *,
    create: bool,
    clock: Callable[[], str] = now,
    destination: str | None = None,
) -> FolderStore:
    """The store whose database is at a server, of PostgreSQL, MySQL or MariaDB, and whose contents are in the
    folder `root`, or with `destination` there; both are made if need be and `create` says so.

    Raises StoreError where the database is not one of mlproj's, or of a newer version, and where `root` is a
    folder with something else in it; Busy where the server cannot be reached.
    """
    root = Path(os.path.abspath(root))
    # SQLAlchemy, which a run has no use for.
    server = importlib.import_module("mlproj.store.servers.database").ServerDatabase(database_uri)
    with explained(root), contextlib.ExitStack() as held:
        if (root / FILE).exists():
            raise StoreError(
                f"`{root}` holds a store whose database is in it",
                hint="name another folder for what goes with the database at the server",
            )
        server.found(create=create)
        connection = server.connection()
        _refuse_without_contents(connection, root)
        make_folder(root)
        held.enter_context(in_use(root))
        if destination is not None:
            choose(connection, root, destination, os.environ)
        return _store(root, connection, held, writable=True, clock=clock, server=server)


def _refuse_without_contents(connection: Connection, root: Path) -> None:
    """Raises StoreError where the database knows runs whose contents would be in that folder, and it is none:
    whoever named it, or started the server elsewhere, meant another."""
    if (root / "blobs").is_dir() or destination_of(connection) is not None:
        return
    if connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None:
        connection.close()
        raise StoreError(
            f"the contents of the runs in that database are not in `{root}`",
            hint="name the folder where they are with `--artifacts-destination`, or, for other commands,"
            f" in the variable `{DESTINATIONS[0]}`",
        )


def _store(
    root: Path, connection: Connection, held: contextlib.ExitStack, *, writable: bool, **more: Any
) -> FolderStore:
    """The store over this connection, which lets go of what is held when it is closed."""
    held.callback(connection.close)
    let_go = held.pop_all().close
    return FolderStore(root, connection, writable=writable, machine=this_machine(), let_go=let_go, **more)


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
