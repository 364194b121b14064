"""Content by its digest in a bucket: there whole or not at all; what was fetched stays here for a while.

A bucket's clock is not ours, and its objects cannot be told that they are wanted: when a blob was last added
or asked for is noted here, by the time of an empty file. So who removes garbage does it on this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path

from mlproj.errors import Altered, StoreError
from mlproj.files import locked
from mlproj.model.digest import Digest
from mlproj.ports import Digester
from mlproj.store.blobs import digest_of_open, opened
from mlproj.store.contained import Held
from mlproj.store.failures import explained
from mlproj.store.objects.bucket import ASIDE, PART, PIECE, Bucket, Found, new_key
from mlproj.store.objects.cache import Fetched
from mlproj.store.objects.marks import MARK, taken
from mlproj.store.objects.streams import Measured, verified

_THREADS = 16
"""So many requests wait for the other side at once."""
_SENDERS = 8
"""Each of whom holds a part of a file, and a copy of it that is on its way."""
_AT_ONCE = 512
_ATTEMPTS = 3
_BLOBS = "blobs/sha256"


class ObjectBlobs:
    """Blobs in a bucket, each at `blobs/sha256/ab/cdef...`; in the folder `root` lies what is known of them
    here. May be used from several threads. `connect` is called when the bucket is first needed."""

    def __init__(self, root: Path, connect: Callable[[], Bucket], most: int) -> None:
        self._root = root
        self._connect = connect
        self._fetched = Fetched(root / "fetched", most)

    @cached_property
    def _bucket(self) -> Bucket:
        return self._connect()

    @property
    def folder(self) -> Path:
        return self._fetched.folder

    def name(self, digest: Digest) -> bytes:
        return f"sha256/{digest[7:9]}/{digest[9:]}".encode()

    def __contains__(self, digest: Digest) -> bool:
        return self._find(digest) is not None

    def path(self, digest: Digest) -> Path:
        """As in `BlobStore`; raises Altered where it is no longer what was put there."""
        with explained(self._root.parent):
            here = self._fetched.get(digest)
            if here is not None:
                return here
            found = self._found(digest)
            with _vanishing(digest):
                return self._fetched.fill(digest, self._bucket.read(found.key, 0, found.size))

    def read(self, digest: Digest, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        found = self._found(digest)
        stop = found.size if count is None else min(found.size, first + count)
        pieces = self._bucket.read(found.key, first, stop)
        if (first, stop) == (0, found.size):
            pieces = verified(digest, pieces)
        return _told(digest, pieces)

    def add_bytes(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        with explained(self._root.parent):
            if not self._renewed(digest):
                self._bucket.put(_key(digest), content)
                self._note(digest)
        return digest

    def add_file(self, path: Path) -> tuple[Digest, int]:
        """As in `BlobStore`; raises StoreError where `path` is no regular file that can be read, or one that
        keeps changing."""
        with explained(self._root.parent), opened(path) as file:
            for _ in range(_ATTEMPTS):
                os.lseek(file, 0, os.SEEK_SET)
                digest, size = digest_of_open(file)
                if self._renewed(digest) or self._sent(digest, file):
                    return digest, size
        raise StoreError(f"`{path}` keeps changing, so its content cannot be kept")

    def adopt_file(self, path: Path) -> tuple[Digest, int]:
        return self.add_file(path)

    def add_files(self, files: Iterable[tuple[Path, Digest]]) -> tuple[Path, ...]:
        rest = iter(files)
        changed: list[Path] = []
        with explained(self._root.parent), ThreadPoolExecutor(_SENDERS) as pool:
            while some := list(itertools.islice(rest, _AT_ONCE)):
                wanted: dict[Digest, list[Path]] = {}
                for path, digest in some:
                    wanted.setdefault(digest, []).append(path)
                for left_out in pool.map(self._add_one, wanted.items()):
                    changed += left_out
        return tuple(changed)

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Those that are not there. The others count as wanted just now."""
        wanted = tuple(dict.fromkeys(digests))
        with ThreadPoolExecutor(_THREADS) as pool:
            there = pool.map(self._renewed, wanted)
            return tuple(digest for digest, is_there in zip(wanted, there, strict=True) if not is_there)

    def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        with ThreadPoolExecutor(_THREADS) as pool:
            states = zip(digests, pool.map(self._find, digests), strict=True)
            return {digest: found.size for digest, found in states if found is not None}

    def bring(self, digests: Collection[Digest], *, afresh: bool = False) -> None:
        """Has contents at hand that are there; with `afresh` a copy that is at hand is none."""
        with ThreadPoolExecutor(_SENDERS) as pool:
            tuple(pool.map(partial(self._bring_one, afresh=afresh), digests))

    def _bring_one(self, digest: Digest, *, afresh: bool) -> None:
        if afresh:
            self._fetched.drop(digest)
        with contextlib.suppress(StoreError, Altered):
            self.path(digest)

    def add_stream(self, pieces: Iterator[bytes]) -> tuple[Digest, int]:
        """What is small is sent once it is known what it is; else it is sent aside as it comes."""
        arriving = Measured(pieces)
        begun = list(_first(arriving, PART))
        if sum(map(len, begun)) < PART:
            content = b"".join(begun)
            return self.add_bytes(content), len(content)
        with explained(self._root.parent):
            aside = new_key()
            size = self._bucket.send(aside, itertools.chain(_emptied(begun), arriving))
            digest = arriving.digest
            if self._renewed(digest):
                self._bucket.remove(aside)
            else:
                self._bucket.move(aside, _key(digest))
                self._note(digest)
        return digest, size

    def digested(
        self, digester: Digester, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        """Reads them over there, which no `digester` can."""
        with ThreadPoolExecutor(_THREADS) as pool:
            for some in names:
                yield from zip(some, pool.map(self._look, some), strict=True)

    def digests(self) -> Iterator[Digest]:
        return (digest for digest, _ in self.states())

    def states(self) -> Iterator[tuple[Digest, Held]]:
        with ThreadPoolExecutor(_THREADS) as pool:
            prefixes = self._bucket.folders(_BLOBS)
            for start in range(0, len(prefixes), _THREADS):
                some = prefixes[start : start + _THREADS]
                for objects in pool.map(lambda prefix: list(self._bucket.find(_folder(prefix))), some):
                    for found in sorted(objects, key=lambda each: each.key):
                        with contextlib.suppress(ValueError):
                            digest = Digest.from_hex("".join(found.key.split("/")[-2:]))
                            yield digest, self._held(digest, found)

    def state(self, digest: Digest) -> Held | None:
        found = self._find(digest)
        return None if found is None else self._held(digest, found)

    def incoming(self) -> Iterator[Path]:
        """Nothing lies aside on this machine."""
        return iter(())

    def sweep(self, before: float) -> tuple[int, int]:
        """Also forgets that blobs were wanted before that moment."""
        for note in (self._root / "wanted").glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if note.stat().st_mtime < before:
                    note.unlink()
        count, size = 0, 0
        for found in self._bucket.find(ASIDE):
            if found.changed < before:
                self._bucket.remove(found.key)
                count, size = count + 1, size + found.size
        return count, size

    def removing(self) -> contextlib.AbstractContextManager[None]:
        return locked(self._root / "lock")

    def adding(self) -> contextlib.AbstractContextManager[None]:
        return locked(self._root / "lock", shared=True)

    def remove(self, digest: Digest) -> None:
        with explained(self._root.parent):
            self._fetched.drop(digest)
            self._bucket.remove(_key(digest))
            self._noted(digest).unlink(missing_ok=True)

    def claim(self, mark: str) -> None:
        found = self._bucket.find_one(MARK)
        if found is None:
            self._bucket.put(MARK, mark.encode())
        elif b"".join(self._bucket.read(MARK, 0, found.size)) != mark.encode():
            raise taken(self._bucket.shown)

    def reach(self) -> None:
        if self._bucket.find_one(MARK) is None:
            raise StoreError(f"what `{self._bucket.shown}` held of the store is not there")

    def _find(self, digest: Digest) -> Found | None:
        return self._bucket.find_one(_key(digest))

    def _found(self, digest: Digest) -> Found:
        found = self._find(digest)
        if found is None:
            raise _missing(digest)
        return found

    def _held(self, digest: Digest, found: Found) -> Held:
        used_ns = int(found.changed * 1_000_000_000)
        with contextlib.suppress(FileNotFoundError):
            used_ns = self._noted(digest).stat().st_mtime_ns
        return Held(used_ns=used_ns, size=found.size, taken=found.size)

    def _noted(self, digest: Digest) -> Path:
        return self._root / "wanted" / digest[7:9] / digest[9:]

    def _note(self, digest: Digest) -> None:
        note = self._noted(digest)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.touch(mode=0o600)

    def _renewed(self, digest: Digest) -> bool:
        """Has it noted that the blob was wanted just now; whether it is there."""
        with self.adding():
            self._note(digest)
            return digest in self

    def _sent(self, digest: Digest, file: int) -> bool:
        """Sends what is in an open file; False, and nothing sent, where it is no longer what it was."""
        os.lseek(file, 0, os.SEEK_SET)
        pieces = iter(lambda: os.read(file, PIECE), b"")
        try:
            if os.fstat(file).st_size < PART:
                self._bucket.put(_key(digest), b"".join(verified(digest, pieces)))
            else:
                self._bucket.send(_key(digest), verified(digest, pieces))
        except Altered:
            return False
        self._note(digest)
        return True

    def _add_one(self, wanted: tuple[Digest, list[Path]]) -> list[Path]:
        """The paths that have not the content, where none of them has; it is there already, or sent."""
        digest, paths = wanted
        if self._renewed(digest):
            return []
        return [] if any(self._add_from(path, digest) for path in paths) else paths

    def _add_from(self, path: Path, digest: Digest) -> bool:
        try:
            if path.is_symlink():
                text = os.fsencode(os.readlink(path))
                return Digest.of(text) == digest and self.add_bytes(text) == digest
            if not path.is_file():
                return False
            with opened(path) as file:
                return self._sent(digest, file)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return False

    def _look(self, name: bytes) -> Digest | str:
        digest = Digest.from_hex(name.decode().removeprefix("sha256/").replace("/", ""))
        hasher = hashlib.sha256()
        try:
            found = self._found(digest)
            for piece in _told(digest, self._bucket.read(found.key, 0, found.size)):
                hasher.update(piece)
        except StoreError as error:
            return error.message
        return Digest.from_hex(hasher.hexdigest())


def _folder(prefix: str) -> str:
    return f"{_BLOBS}/{prefix}"


def _key(digest: Digest) -> str:
    return f"{_folder(digest[7:9])}/{digest[9:]}"


def _missing(digest: Digest) -> StoreError:
    return StoreError(f"the store holds no content with the digest `{digest}`")


@contextlib.contextmanager
def _vanishing(digest: Digest) -> Iterator[None]:
    """Says what is meant where a blob is no longer there."""
    try:
        yield
    except FileNotFoundError as error:
        raise _missing(digest) from error


def _told(digest: Digest, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with _vanishing(digest):
        yield from pieces


def _emptied(pieces: list[bytes]) -> Iterator[bytes]:
    """The pieces, each of which takes no more memory once it was asked for."""
    while pieces:
        yield pieces.pop(0)


def _first(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The first pieces, until they are so many bytes."""
    arrived = 0
    for piece in pieces:
        yield piece
        arrived += len(piece)
        if arrived >= size:
            return
