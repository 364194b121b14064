"""Artifacts as files below a folder that nothing leads out of, whatever a path says and wherever links point.

Every folder of a path is opened from the one before it, and none is followed that is a link: what is checked
is what is used, however the tree changes meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlproj.errors import NotFound, UsageError
from mlproj.files import write_all
from mlproj.store.artifact_paths import named, parts_of
from mlproj.store.failures import explained
from mlproj.store.uploads import PIECE, FolderUploads

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINK = (errno.ELOOP, errno.ENOTDIR)


class FolderArtifacts:
    """The port `Artifacts` over the folder `root`. Uploads are written into `aside`, on the same disk."""

    def __init__(self, root: Path, aside: Path) -> None:
        self._root = root
        self._aside = aside
        self.uploads = FolderUploads(self._check, self.write, aside)

    def list(self, path: str) -> Sequence[tuple[str, bool, int]]:
        prefix = f"{path}/" if path else ""
        with self._explained(path), contextlib.ExitStack() as held:
            try:
                folder = held.enter_context(self._folder(parts_of(path)))
            except (FileNotFoundError, NotADirectoryError):
                return ()
            found = []
            for entry in held.enter_context(os.scandir(folder)):
                if entry.is_symlink():
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                size = 0 if is_folder else entry.stat(follow_symlinks=False).st_size
                found.append((f"{prefix}{entry.name}", is_folder, size))
            return sorted(found)

    def read(self, path: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        with self._explained(path):
            descriptor = self._opened(path)
            os.lseek(descriptor, first, os.SEEK_SET)
            return _Pieces(descriptor, count)

    def size(self, path: str) -> int:
        with self._explained(path):
            descriptor = self._opened(path)
            try:
                return os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        folders, name = named(path)
        with self._explained(path):
            self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._aside / secrets.token_hex(16)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                try:
                    # Not synced: what a run leaves becomes blobs when it is sealed, and those are.
                    for piece in pieces:
                        write_all(descriptor, piece)
                finally:
                    os.close(descriptor)
                with self._folder(folders, make=True) as folder:
                    _replace(temporary, name, folder, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def delete(self, path: str) -> None:
        """What is not there is deleted already, as it is for MLflow."""
        folders, name = named(path)
        with self._explained(path):
            try:
                with self._folder(folders) as folder:
                    kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                    if stat.S_ISDIR(kind):
                        _remove_tree(name, folder)
                    elif stat.S_ISLNK(kind):
                        raise _leads_out(path)
                    else:
                        os.unlink(name, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                return

    def _check(self, path: str) -> None:
        """Raises UsageError where nothing could be written, as far as that can be told before it is."""
        folders, name = named(path)
        with self._explained(path), contextlib.suppress(FileNotFoundError), self._folder(folders) as folder:
            if _is_link(folder, name):
                raise _leads_out(path)

    def _opened(self, path: str) -> int:
        """A regular file, opened for reading."""
        *folders, name = parts_of(path) or ("",)
        try:
            with self._folder(folders) as folder:
                # Without waiting, as opening a pipe would.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(name or ".", flags, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"No such artifact: '{path}'") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFound(f"No such artifact: '{path}'")
        return descriptor

    @contextlib.contextmanager
    def _folder(self, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                descriptor = _entered(descriptor, part)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        with explained(self._root):
            try:
                yield
            except OSError as error:
                if error.errno in (
                    errno.ELOOP,
                    errno.ENAMETOOLONG,
                    errno.EISDIR,
                    errno.EEXIST,
                    errno.ENOTDIR,
                ):
                    raise UsageError(f"`{path}` cannot be an artifact: {error.strerror}") from error
                raise


def _entered(descriptor: int, part: str) -> int:
    """The folder `part` of the open one, which is closed if this succeeds."""
    try:
        inner = os.open(part, _FOLDER, dir_fd=descriptor)
    except OSError as error:
        if error.errno in _LINK and _is_link(descriptor, part):
            raise _leads_out(part) from error
        raise
    os.close(descriptor)
    return inner


def _is_link(descriptor: int, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
    return False


def _replace(temporary: Path, name: str, folder: int, path: str) -> None:
    """Puts a written file in place; a link that is there is not replaced, as a script may rely on it."""
    if _is_link(folder, name):
        raise _leads_out(path)
    os.replace(temporary, name, dst_dir_fd=folder)


class _Pieces(Iterator[bytes]):
    """What is in an open file, or the next `count` bytes of it. It is closed at its end, or when nobody wants
    more of it."""

    def __init__(self, descriptor: int, count: int | None) -> None:
        self._file = io.FileIO(descriptor)
        self._left = count

    def __next__(self) -> bytes:
        piece = self._file.read(PIECE if self._left is None else min(PIECE, self._left))
        if not piece:
            self._file.close()
            raise StopIteration
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def __del__(self) -> None:
        self._file.close()


def _remove_tree(name: str, folder: int) -> None:
    for _, _, _, inner in os.fwalk(name, topdown=False, dir_fd=folder):
        with os.scandir(inner) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    os.rmdir(entry.name, dir_fd=inner)
                else:
                    os.unlink(entry.name, dir_fd=inner)
    os.rmdir(name, dir_fd=folder)


def _leads_out(path: str) -> UsageError:
    return UsageError(f"`{path}` is a link, and links are not followed here")
