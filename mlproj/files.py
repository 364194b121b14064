"""Files written whole or not at all, their digests, and locks that end with the process that holds them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlproj.model.digest import Digest

_PIECE = 1024 * 1024


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Puts `content` at `path` in one step: written aside, synced, renamed.

    Without `sync` a power cut may leave a torn file: for what carries its own checksum.
    """
    temporary = _beside(path)
    try:
        with open(temporary, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def put_atomically(path: Path, *, replacing: bool, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file to be filled in the `with`, which is at `path` at its end, synced and whole, or not at all.

    Raises FileExistsError where something is there by then and is not to be replaced.
    """
    temporary = _beside(path)
    try:
        with open(temporary, "xb", opener=_private) as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode & ~_umask())
            os.fsync(file.fileno())
        if replacing:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A name that nothing has. It is known before the file is there: a signal may come right after that."""
    return path.with_name(f".{path.name}.{secrets.token_urlsafe(6)}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Writes everything, however little the system takes at once."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_regular(path: Path) -> bytes:
    """What is in a regular file now. Raises OSError, also where it is none."""
    with _opened_regular(path) as file:
        return file.read()


def digest_of(path: Path) -> tuple[Digest, int]:
    """The digest and the size in bytes of what is in a regular file now. Raises OSError as `read_regular`."""
    hasher, size = hashlib.sha256(), 0
    with _opened_regular(path) as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
            size += len(piece)
    return Digest.from_hex(hasher.hexdigest()), size


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Holds a lock on the file `path` (made if need be), waiting for whoever holds it.

    A shared one may be held by many, an exclusive one by one alone.
    """
    with lasting_lock(path, shared=shared):
        yield


@contextlib.contextmanager
def lasting_lock(path: Path, *, shared: bool = False) -> Iterator[int]:
    """As `locked`, but yields a descriptor: a program that is given it holds the lock too, for as long as it
    goes on."""
    while True:
        with _opened(path) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _is_there(descriptor):
                yield descriptor
                return


@contextlib.contextmanager
def locked_now(path: Path, *, shared: bool = False) -> Iterator[bool]:
    """As `locked`, without waiting: yields whether the lock was free."""
    with inheritable_lock(path, shared=shared) as descriptor:
        yield descriptor is not None


@contextlib.contextmanager
def inheritable_lock(path: Path, *, shared: bool = False) -> Iterator[int | None]:
    """As `locked_now`, but yields a descriptor, or None where the lock was not free.

    A program that is given the descriptor holds the lock too, and goes on to where we are killed. At the end
    of the `with` it is nobody's any more.
    """
    while True:
        with _opened(path) as descriptor:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if not _is_there(descriptor):
                continue
            try:
                yield descriptor
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            return


def _is_there(descriptor: int) -> bool:
    """Whether a lock on an open file counts: whoever held it alone may have removed the file meanwhile, and
    others lock the one that is there since."""
    return os.fstat(descriptor).st_nlink > 0


def _umask() -> int:
    """What of a new file's mode the process does not grant."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _opened_regular(path: Path) -> Iterator[BinaryIO]:
    """A named pipe would have us wait for a writer, and a device would never end."""
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
        yield file


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
