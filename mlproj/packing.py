"""Many contents in one stream, each held against its digest where it arrives.

Of each come 32 bytes of its SHA-256, 8 bytes of its size (the greatest first), and then its bytes.
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mlproj.model.digest import Digest
from mlproj.store_ports import BlobStore

HEAD = struct.Struct(">32sQ")
_PIECE = 1 << 20
_SMALL = 1 << 20
_AT_ONCE = 64 << 20
_FEW = 1000
"""So many small files, or bytes of them, are put in place together."""


def packed(blobs: BlobStore, digests: Iterable[Digest]) -> Iterator[bytes]:
    """The stream of these contents, in pieces. Raises StoreError where one is not there."""
    for digest in digests:
        path = blobs.path(digest)
        with path.open("rb") as file:
            size = path.stat().st_size
            yield HEAD.pack(bytes.fromhex(digest.hex), size)
            while size and (piece := file.read(min(_PIECE, size))):
                size -= len(piece)
                yield piece


def unpack(
    pieces: Iterable[bytes], blobs: BlobStore, aside: Path, wrong: Callable[[Digest], None] | None = None
) -> tuple[Digest, ...]:
    """Puts what a stream holds into the blobs, by way of the folder `aside`; returns what came.

    Raises ValueError where the stream ends too early; what came before that is kept. Content that is not what
    its digest says is not kept: `wrong` hears of it, without which ValueError is raised.
    """
    arrived: list[Digest] = []
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=aside) as folder:
        batch = _Batch(blobs)
        for digest, content in _contents(_Source(pieces)):
            path = Path(folder) / digest.hex
            found, size = _write(path, content)
            if found == digest:
                batch.add(path, digest, size)
                arrived.append(digest)
            elif wrong is None:
                raise ValueError(f"some content is not what its digest says: {digest}")
            else:
                path.unlink()
                wrong(digest)
        batch.put()
    return tuple(arrived)


def join(digest: Digest, pieces: Iterable[bytes], blobs: BlobStore, aside: Path) -> None:
    """Puts one content into the blobs, by way of the folder `aside`. Raises ValueError where it is not what
    its digest says."""
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=aside) as folder:
        path = Path(folder) / digest.hex
        found, _ = _write(path, iter(pieces))
        if found != digest:
            raise ValueError(f"some content is not what its digest says: {digest}")
        blobs.adopt_file(path)


class _Batch:
    """Small files wait for each other, since one sync serves them all."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._waiting: list[tuple[Path, Digest]] = []
        self._size = 0

    def add(self, path: Path, digest: Digest, size: int) -> None:
        if size > _SMALL:
            self._blobs.adopt_file(path)
            path.unlink()
            return
        self._waiting.append((path, digest))
        self._size += size
        if self._size > _AT_ONCE or len(self._waiting) >= _FEW:
            self.put()

    def put(self) -> None:
        if self._waiting:
            self._blobs.add_files(self._waiting)
        for path, _ in self._waiting:
            path.unlink(missing_ok=True)
        self._waiting, self._size = [], 0


class _Source:
    """Bytes out of pieces, as many as are asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def some(self, size: int) -> bytes:
        """At least one byte of what comes, at most `size`; nothing at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken.tobytes()

    def exactly(self, size: int) -> bytes:
        """So many bytes, or nothing at the end. Raises ValueError where it comes in between."""
        found = self.some(size)
        while found and len(found) < size:
            more = self.some(size - len(found))
            if not more:
                raise ValueError("the stream ends too early")
            found += more
        return found


def _contents(source: _Source) -> Iterator[tuple[Digest, Iterator[bytes]]]:
    while head := source.exactly(HEAD.size):
        raw, size = HEAD.unpack(head)
        yield Digest.from_raw(raw), _content(source, size)


def _content(source: _Source, size: int) -> Iterator[bytes]:
    while size:
        piece = source.some(size)
        if not piece:
            raise ValueError("the stream ends too early")
        size -= len(piece)
        yield piece


def _write(path: Path, content: Iterator[bytes]) -> tuple[Digest, int]:
    hasher, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in content:
            hasher.update(piece)
            size += file.write(piece)
    return Digest.from_hex(hasher.hexdigest()), size
