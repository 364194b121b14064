"""A store brought back from a copy, or moved to another folder and still found at its old one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import sqlite3
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.housekeeping_ports import Copied
from mlproj.model.events import Note, Report
from mlproj.model.moment import now
from mlproj.store.copying import copy_store
from mlproj.store.database import FILE, open_readonly
from mlproj.store.failures import explained, not_writable
from mlproj.store.founding import (
    KEY_OF_WEBHOOKS,
    WORKSPACES,
    alone_with,
    followed,
    is_vacant,
    leave_word,
    refuse_network,
)
from mlproj.store.opening import open_store

_ARRIVING = ".restoring-"
_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE, from `fcntl.h` and `linux/fs.h`."""


def back_up(store: Path, destination: Path, report: Report) -> Copied:
    """Copies the store, while it may be in use, to a new folder or over an earlier copy of it.

    The copy holds every run that was sealed when it began. Raises StoreError.
    """
    source = open_store(store, create=False)
    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        if source.writable:
            stack.enter_context(source.lease())  # what we are about to copy is not removed under our hands
        assert isinstance(source.connection, sqlite3.Connection), "a store in a folder is a file"
        return copy_store(source.connection, source.root, _absolute(destination), report)


def restore(backup: Path, destination: Path, *, replacing: bool, report: Report) -> Copied:
    """Makes the store `destination` anew from a copy. One that is there is, with `replacing`, put aside under
    another name beside it, and otherwise a StoreError."""
    source, target = followed(_absolute(backup)), followed(_absolute(destination))
    if not is_vacant(target) and not replacing:
        raise StoreError(
            f"there is something at `{target}` already", hint="`--replace` puts it aside, and keeps it"
        )
    if not (source / FILE).exists():
        raise StoreError(
            f"there is no store at `{source}`", hint="name a folder that `mlproj store backup` made"
        )
    refuse_network(target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    arriving = target.with_name(f"{target.name}{_ARRIVING}{secrets.token_hex(4)}")
    with (
        explained(target),
        contextlib.closing(open_readonly(source)) as connection,
        contextlib.ExitStack() as stack,
    ):
        _discard_interrupted(target)
        if not is_vacant(target):
            stack.enter_context(alone_with(target))
        try:
            copied = copy_store(connection, source, arriving, report)
        except BaseException:
            shutil.rmtree(arriving, ignore_errors=True)
            raise
        if not is_vacant(target):
            aside = target.with_name(f"{target.name}.before-restore-{now().replace(':', '')}")
            target.rename(aside)
            report(Note(message=f"what was at `{target}` is now at `{aside}`"))
        arriving.rename(target)
    return replace(copied, path=target)


def _discard_interrupted(target: Path) -> None:
    """Removes what restorations that were killed left beside the place."""
    for left in target.parent.glob(f"{target.name}{_ARRIVING}*"):
        with contextlib.suppress(StoreError), alone_with(left):
            shutil.rmtree(left, ignore_errors=True)


def move(store: Path, destination: Path, *, wait: bool, report: Report) -> Copied:
    """Moves the store to a new folder and leaves word at the old one, so that it is still found from there.

    Where others have it open, waits for them with a note, or without `wait` raises StoreError.
    """
    root, target = followed(_absolute(store)), _absolute(destination)
    if not (root / FILE).exists():
        raise StoreError(f"there is no store at `{root}`", hint="`mlproj runs` says which one is used")
    if not os.access(root, os.W_OK):
        raise not_writable(root)
    if not is_vacant(target) or root in target.parents:
        raise StoreError(f"a store cannot be moved to `{target}`", hint="name a new folder outside of it")
    note = Note(message="waiting for those who have the store open (the runs that are going on)")
    with explained(target), alone_with(root, (lambda: report(note)) if wait else None):
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.stat(target.parent).st_dev == os.stat(root).st_dev:
            moved = _rename(root, target)
        else:
            moved = _carry(root, target, report)
    return moved


def _rename(root: Path, target: Path) -> Copied:
    """On the same file system: the word is left first, where the store is to be, and the two folders change
    places at once. So whoever looks finds the store, whenever we are killed."""
    try:
        leave_word(target, target)
        changed_places = _exchange(root, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    if not changed_places:
        shutil.rmtree(target)
        os.rename(root, target)
        leave_word(root, target)
    return Copied(path=target, files=0, size=0, altered=())


def _exchange(one: Path, other: Path) -> bool:
    """Has two folders change places in one step; False where the system has no way to."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), os.fspath(one))


def _carry(root: Path, target: Path, report: Report) -> Copied:
    """To another file system. Until the word counts, which it does once no database is there, the store is
    where it was."""
    refuse_network(target.parent)
    try:
        with contextlib.closing(open_readonly(root)) as connection:
            copied = copy_store(connection, root, target, report, gathering=False)
        if copied.altered:
            raise StoreError(
                f"{len(copied.altered)} contents of `{root}` are not what was recorded, so it stays there",
                hint="`mlproj verify` tells which",
            )
        for beside in (*root.glob(f"{FILE}.before-*"), *root.glob(KEY_OF_WEBHOOKS)):
            shutil.copy2(beside, target)
        with explained(root):
            leave_word(root, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    # The database goes first: without its journal it would lack what came last, and still count.
    for file in (*sorted(root.glob(f"{FILE}*")), *root.glob(KEY_OF_WEBHOOKS)):
        file.unlink()
    for folder in ("blobs", *WORKSPACES):
        shutil.rmtree(root / folder, ignore_errors=True)
    return copied


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))
