"""Content by its digest in a folder: written aside, synced, put in place, and never rewritten."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mlproj.errors import StoreError
from mlproj.files import locked, write_all
from mlproj.model.digest import Digest
from mlproj.ports import Digester
from mlproj.store.contained import Held
from mlproj.store.failures import explained

_PIECE = 1024 * 1024
_NOTHING = bytes(_PIECE)
_FEW = 16
"""Up to so many files are synced one by one; beyond, syncing everything is quicker."""
_AT_ONCE = 4096
"""So many files lie aside at most: they take memory until they are in place, and time if we are stopped."""


class FolderBlobs:
    """Blobs under `root`, each at `sha256/ab/cdef...`, readable by the owner alone.

    Adding one that is there already only renews its time, so that whoever removes old blobs sees its use.
    That, and putting one in place, never happens while somebody is removing some.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._aside = root / "incoming"

    @property
    def folder(self) -> Path:
        return self._root

    def name(self, digest: Digest) -> bytes:
        return f"sha256/{digest[7:9]}/{digest[9:]}".encode()

    def __contains__(self, digest: Digest) -> bool:
        return os.path.exists(self._place(digest))

    def path(self, digest: Digest) -> Path:
        place = self.place(digest)
        if not place.is_file():
            raise StoreError(f"the store holds no content with the digest `{digest}`")
        return place

    def place(self, digest: Digest) -> Path:
        """Where the blob is, if it is there."""
        return Path(self._place(digest))

    def add_bytes(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        with explained(self._root.parent):
            if not self._renew((digest,)):
                return digest
            with self._written(lambda descriptor: write_all(descriptor, content)) as temporary:
                self._settle([(temporary, digest)])
        return digest

    def add_file(self, path: Path) -> tuple[Digest, int]:
        """As in `BlobStore`; raises StoreError where `path` is no regular file that can be read."""
        with explained(self._root.parent), opened(path) as source:
            copied: list[tuple[Digest, int]] = []
            with self._written(lambda target: copied.append(_copy(source, target))) as temporary:
                digest, size = copied[0]
                if self._renew((digest,)):
                    self._settle([(temporary, digest)])
        return digest, size

    def adopt_file(self, path: Path) -> tuple[Digest, int]:
        """As in `BlobStore`. Takes no room where the file lies on the same disk; else it is copied."""
        with explained(self._root.parent), opened(path) as file:
            digest, size = digest_of_open(file)
            os.fchmod(file, 0o600)
            if self._renew((digest,)):
                with self._linked(path) as temporary:
                    self._settle([(temporary, digest)])
        return digest, size

    def add_files(self, files: Iterable[tuple[Path, Digest]]) -> tuple[Path, ...]:
        rest = iter(files)
        changed: list[Path] = []
        with explained(self._root.parent):
            while some := list(itertools.islice(rest, _AT_ONCE)):
                changed += self._add_some(some)
        return tuple(changed)

    def _add_some(self, files: list[tuple[Path, Digest]]) -> list[Path]:
        changed: list[Path] = []
        wanted: dict[Digest, list[Path]] = {}
        for path, digest in files:
            wanted.setdefault(digest, []).append(path)
        with contextlib.ExitStack() as stack:
            arrived = []
            for digest in self._renew(wanted):
                temporary = self._first_match(wanted[digest], digest, stack)
                if temporary is None:
                    changed += wanted[digest]
                else:
                    arrived.append((temporary, digest))
            self._settle(arrived)
        return changed

    def digests(self) -> Iterator[Digest]:
        with contextlib.suppress(FileNotFoundError):
            for folder in sorted(os.listdir(self._root / "sha256")):
                for name in sorted(os.listdir(self._root / "sha256" / folder)):
                    with contextlib.suppress(ValueError):
                        yield Digest.from_hex(folder + name)

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        with explained(self._root.parent):
            return tuple(self._renew(dict.fromkeys(digests)))

    def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        states = ((digest, self.state(digest)) for digest in digests)
        return {digest: state.size for digest, state in states if state is not None}

    def bring(self, digests: Collection[Digest], *, afresh: bool = False) -> None:
        """As in `BlobStore`: all of them are here."""

    def incoming(self) -> Iterator[Path]:
        """What is being written aside, or was when its writer ended."""
        with contextlib.suppress(FileNotFoundError):
            yield from self._aside.iterdir()

    def removing(self) -> contextlib.AbstractContextManager[None]:
        """For the length of the `with` nobody adds or renews: whoever removes looks, and removes, in one."""
        return locked(self._root / "lock")

    def adding(self) -> contextlib.AbstractContextManager[None]:
        """For the length of the `with` nobody removes."""
        return locked(self._root / "lock", shared=True)

    def state(self, digest: Digest) -> Held | None:
        """What the file system says of a blob. None where it is not there."""
        try:
            state = os.stat(self._place(digest))
        except FileNotFoundError:
            return None
        return Held(used_ns=state.st_mtime_ns, size=state.st_size, taken=state.st_blocks * 512)

    def states(self) -> Iterator[tuple[Digest, Held]]:
        for digest in self.digests():
            state = self.state(digest)
            if state is not None:
                yield digest, state

    def digested(
        self, digester: Digester, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        return digester(self._root, names)

    def sweep(self, before: float) -> tuple[int, int]:
        """Nothing is elsewhere."""
        return 0, 0

    def remove(self, digest: Digest) -> None:
        with explained(self._root.parent), contextlib.suppress(FileNotFoundError):
            os.unlink(self._place(digest))

    def _place(self, digest: Digest) -> str:
        return f"{self._root}/sha256/{digest[7:9]}/{digest[9:]}"

    def _renew(self, digests: Iterable[Digest]) -> list[Digest]:
        """Has the time of each blob that is there say that it was wanted just now; returns the others."""
        missing = []
        with self.adding():
            for digest in digests:
                try:
                    os.utime(self._place(digest))
                except FileNotFoundError:
                    missing.append(digest)
        return missing

    def _first_match(self, paths: list[Path], digest: Digest, stack: contextlib.ExitStack) -> Path | None:
        """A copy, aside, of the first of `paths` that still has the content; removed with the stack."""
        for path in paths:
            copy = _Copy(path)
            with contextlib.suppress(_Gone):
                temporary = stack.enter_context(self._written(copy))
                if copy.digest == digest:
                    return temporary
        return None

    @contextlib.contextmanager
    def _linked(self, path: Path) -> Iterator[Path]:
        """Another name, aside, for the file, or a copy where it cannot have one."""
        self._aside.mkdir(parents=True, exist_ok=True)
        temporary = self._aside / secrets.token_hex(16)
        try:
            os.link(path, temporary)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
            with opened(path) as source, self._written(partial(_copy, source)) as copy:
                yield copy
            return
        try:
            yield temporary
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    @contextlib.contextmanager
    def _written(self, write: Callable[[int], object]) -> Iterator[Path]:
        """A file aside that `write` filled; it is gone at the end if it was not put in place."""
        self._aside.mkdir(parents=True, exist_ok=True)
        temporary = self._aside / secrets.token_hex(16)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                write(descriptor)
            finally:
                os.close(descriptor)
            yield temporary
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def _settle(self, arrived: list[tuple[Path, Digest]]) -> None:
        """Syncs the files that lie aside, then gives each its name, then syncs the names."""
        if not arrived:
            return
        _sync([temporary for temporary, _ in arrived])
        places = [(temporary, self._place(digest)) for temporary, digest in arrived]
        folders = {os.path.dirname(place) for _, place in places}
        for folder in folders:
            os.makedirs(folder, exist_ok=True)
        with self.adding():
            for temporary, place in places:
                os.replace(temporary, place)
        _sync([Path(folder) for folder in folders])


def _sync(paths: list[Path]) -> None:
    if len(paths) > _FEW:
        os.sync()
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    # A pipe must not make us wait for a writer that never comes.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"`{path}` is not a file, so its content cannot be kept")
        yield descriptor
    finally:
        os.close(descriptor)


class _Gone(Exception):
    """A file that is not there any more, or cannot be read."""


class _Copy:
    """Copies a file's bytes, or a symbolic link's text, and keeps their digest. Raises _Gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.digest: Digest | None = None

    def __call__(self, target: int) -> None:
        try:
            if self._path.is_symlink():
                text = os.fsencode(os.readlink(self._path))
                write_all(target, text)
                self.digest = Digest.of(text)
            else:
                with opened(self._path) as source:
                    self.digest, _ = _copy(source, target)
        except (FileNotFoundError, NotADirectoryError, PermissionError, StoreError) as error:
            raise _Gone from error


def digest_of_open(source: int) -> tuple[Digest, int]:
    hasher, size = hashlib.sha256(), 0
    buffer = memoryview(bytearray(min(_PIECE, os.fstat(source).st_size + 1)))
    with io.FileIO(source, closefd=False) as file:
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
            size += count
    return Digest.from_hex(hasher.hexdigest()), size


def _copy(source: int, target: int) -> tuple[Digest, int]:
    """Copies what is left to read; where the source has holes, so has the copy."""
    status = os.fstat(source)
    has_holes = status.st_blocks * 512 < status.st_size
    hasher, size = hashlib.sha256(), 0
    buffer = memoryview(bytearray(min(_PIECE, status.st_size + 1)))
    with io.FileIO(source, closefd=False) as file:
        while count := file.readinto(buffer):
            piece = buffer[:count]
            hasher.update(piece)
            size += count
            if has_holes and piece.tobytes() == _NOTHING[:count]:
                os.lseek(target, count, os.SEEK_CUR)
            else:
                write_all(target, piece)
    os.ftruncate(target, size)
    return Digest.from_hex(hasher.hexdigest()), size
