"""A store copied to another folder while it is in use: by `backup`, and on the way of `restore` and `move`.

A copy is a store itself. Its database is put in place last, so that one that was cut short is the copy of
before, or none yet; and since contents never change, a second copy to the same place brings what is new.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import Altered, StoreError
from mlproj.housekeeping_ports import Copied
from mlproj.model.digest import Digest
from mlproj.model.events import Ended, Progress, Report, Started
from mlproj.model.record import EntryKind
from mlproj.store.blobs import FolderBlobs
from mlproj.store.contained import KeptBlobs
from mlproj.store.database import FILE, open_readonly
from mlproj.store.destination import lies_elsewhere, remember_here, stored_blobs
from mlproj.store.failures import explained
from mlproj.store.founding import ARRIVING, WORKSPACES, alone_with, make_folder
from mlproj.store.room import LEAST, has_room
from mlproj.store.sizes import measure_database

COPY = f"{FILE}.copy-"
"""How the names of copies of the database begin that a backup is made from."""
_AT_ONCE = 500
"""How many contents are copied and then synced together."""
_BACKWARDS = "SELECT sequence, kind, run_id, link FROM entries ORDER BY sequence DESC"
_SAME = "SELECT 1 FROM entries WHERE sequence = ? AND link = ?"
_KNOWN = "SELECT 1 FROM runs WHERE run_id = ?"


def copy_store(
    connection: sqlite3.Connection, root: Path, destination: Path, report: Report, *, gathering: bool = True
) -> Copied:
    """Copies the store at `root`, open as `connection`, to the folder `destination`: a new one, or an earlier
    copy of the same store.

    Contents that lie elsewhere are gathered in the copy, or, without `gathering`, stay where they are.
    Contents whose digest no longer fits are not copied, and returned. The caller sees to it that nothing is
    removed meanwhile. Raises StoreError.
    """
    if destination == root or root in destination.parents or destination in root.parents:
        raise StoreError(
            f"`{destination}` lies in the store `{root}`, or around it", hint="name another folder"
        )
    with explained(destination), contextlib.ExitStack() as stack:
        if (destination / FILE).exists():
            _refuse_another_history(connection, destination)
        else:
            make_folder(destination)
        stack.enter_context(alone_with(destination))
        report(Started(stage="copy", detail=str(destination)))
        database = stack.enter_context(_snapshot(connection, root))
        found = Copied(path=destination, files=0, size=0, altered=())
        if gathering or not lies_elsewhere(connection):
            found = _copy_blobs(stored_blobs(connection, root), FolderBlobs(destination / "blobs"), report)
            with contextlib.closing(sqlite3.connect(database)) as copy, copy:
                remember_here(copy)
        for name in WORKSPACES:
            _copy_workspaces(root / name, destination / name)
        _put_database(database, destination)
        report(Ended(stage="copy"))
    return replace(found, path=destination)


def _refuse_another_history(connection: sqlite3.Connection, destination: Path) -> None:
    """Raises StoreError where the chain there is not a beginning of ours.

    Runs that were going on when it was copied may have been closed there: whoever looks at a copy does so.
    """
    with contextlib.closing(open_readonly(destination)) as theirs:
        for sequence, kind, run_id, link in theirs.execute(_BACKWARDS):
            if connection.execute(_SAME, (sequence, link)).fetchone():
                return
            if kind != EntryKind.RUN.value or not connection.execute(_KNOWN, (run_id,)).fetchone():
                raise StoreError(
                    f"`{destination}` holds a store with another history",
                    hint="name a new folder, or one of its copies",
                )


@contextlib.contextmanager
def _snapshot(connection: sqlite3.Connection, root: Path) -> Iterator[Path]:
    """The database as it is at one moment, sound, in a file of its own. Raises StoreError where it is not."""
    fits = os.access(root, os.W_OK) and has_room(root, LEAST + measure_database(root))
    folder = root if fits else Path(tempfile.gettempdir())
    path = folder / f"{COPY}{secrets.token_hex(8)}"
    try:
        with explained(root):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with contextlib.closing(sqlite3.connect(path)) as target:
                connection.backup(target)
                (told,) = target.execute("PRAGMA quick_check(1)").fetchone()
            if told != "ok":
                raise sqlite3.DatabaseError(f"malformed: {told}")
        yield path
    finally:
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            file.unlink(missing_ok=True)


def _copy_blobs(source: KeptBlobs, target: FolderBlobs, report: Report) -> Copied:
    """Brings the contents that are not there yet."""
    missing = {digest: held.size for digest, held in source.states() if digest not in target}
    digests, total = tuple(missing), sum(missing.values())
    altered: list[Digest] = []
    files, done = 0, 0
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        paths = dict(_places(source, some, altered))
        done += sum(missing[digest] for digest in some)
        left_out = target.add_files(paths.items())
        altered += [paths[path] for path in left_out if path.exists()]
        files += len(paths) - len(left_out)
        report(Progress(stage="copy", done=done, total=total, unit="bytes"))
    return Copied(path=Path(), files=files, size=done, altered=tuple(altered))


def _places(
    source: KeptBlobs, digests: Sequence[Digest], altered: list[Digest]
) -> Iterator[tuple[Path, Digest]]:
    """The files of contents on this machine, but of those that went meanwhile, and of `altered` ones."""
    for digest in digests:
        try:
            yield source.path(digest), digest
        except Altered:
            altered.append(digest)
        except StoreError:
            if digest in source:
                raise


def _copy_workspaces(source: Path, target: Path) -> None:
    """Brings what runs that go on have written so far, and the folders of others, of models and traces."""
    if not source.is_dir():
        return
    try:
        shutil.copytree(
            source, target, symlinks=True, ignore=_specials, copy_function=_copy_changed, dirs_exist_ok=True
        )
    except shutil.Error as error:
        for path, _, reason in error.args[0]:
            if os.path.lexists(path):  # else it went while we copied
                raise StoreError(f"`{path}` cannot be copied: {reason}") from error


def _copy_changed(source: str, target: str) -> None:
    """Copies a file unless it was copied before, by its size and time."""
    with contextlib.suppress(FileNotFoundError):
        ours, theirs = os.stat(source), os.stat(target)
        if (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns):
            return
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _specials(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices, which cannot be copied."""
    paths = ((name, Path(folder, name)) for name in names)
    return [name for name, path in paths if not (path.is_file() or path.is_dir() or path.is_symlink())]


def _put_database(database: Path, destination: Path) -> None:
    aside = destination / ARRIVING
    shutil.copyfile(database, aside)
    aside.chmod(0o600)
    descriptor = os.open(aside, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    # A journal belongs to the database that it was written for.
    for journal in ("-wal", "-shm"):
        (destination / f"{FILE}{journal}").unlink(missing_ok=True)
    os.replace(aside, destination / FILE)
