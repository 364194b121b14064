"""Reads files and digests them. Also the program of a reader beside us, so it imports little and fast.

As a program it is asked on stdin and answers on stdout, in frames: a length (8 bytes), then a value in
`marshal`, since both ends are the same interpreter. A request is a list of (folder, names, fingerprints,
follow), its answer the list of lists of what `read_batch` returns. An integer before it says how many bytes
of a large file have been read since the last one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import marshal
import os
import signal
import stat
import struct
from collections.abc import Callable, Sequence
from typing import Any

Result = bytes | tuple[bytes, bytes] | int
"""The digest of a file in the state that was expected; or a digest with the fingerprint of another state, in
which the file was before and after; or the number of what went wrong (`errno`, or one of these three)."""
MOVING = -1
"""The file changed each time it was read."""
SPECIAL = -2
"""What was opened is no regular file."""
UNKNOWN = -3

ATTEMPTS = 3
PIECE = 1 << 20
SMALL = 1 << 18
"""Bytes up to which a file is read in one go."""

_STAT = struct.Struct("=QQqqq")
_SIZE = struct.Struct("=q")
_SIZE_AT = 16
_LENGTH = struct.Struct("=Q")
_TELL = 64 << 20
_ZEROS = bytes(PIECE)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# without O_NONBLOCK a file that has become a FIFO would hang us
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LONGEST = 1000
"""What every kernel takes as one path: PATH_MAX is 4096 on Linux, 1024 on macOS."""

_NO_FILE = (errno.ENXIO, errno.ESPIPE, errno.EAGAIN)
"""What only a socket, or a pipe, answers to being opened, put back to its beginning, or read."""

FINGERPRINT = _STAT.size
fingerprint = _STAT.pack


def fingerprint_of(status: os.stat_result) -> bytes:
    """The bytes that two equal states of a file have in common: device, inode, size, mtime and ctime."""
    return _STAT.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def size_in(print_: bytes) -> int:
    """The size that a fingerprint tells."""
    size: int = _SIZE.unpack_from(print_, _SIZE_AT)[0]
    return size


def open_folder(path: bytes) -> int:
    """A descriptor of a folder, found step by step where its path is too long at once. Raises OSError."""
    if len(path) <= _LONGEST:
        return os.open(path, _FOLDER)
    above = os.open(b"/" if path.startswith(b"/") else b".", _FOLDER)
    path = path.lstrip(b"/")
    while True:
        cut = len(path) if len(path) <= _LONGEST else path.rindex(b"/", 0, _LONGEST)
        try:
            below = os.open(path[:cut], _FOLDER, dir_fd=above)
        finally:
            os.close(above)
        if cut == len(path):
            return below
        above, path = below, path[cut + 1 :]


def read_batch(
    folder: bytes, names: Sequence[bytes], prints: Sequence[bytes], follow: bool, tell: Callable[[int], None]
) -> list[Result]:
    """What came of reading the files `names` below `folder`, each expected in the state `prints` tells.

    `tell` is called with the number of bytes as a large file is read, piece by piece.
    """
    try:
        descriptor = open_folder(folder)
    except OSError as error:
        return [error.errno or UNKNOWN] * len(names)
    flags = _FILE if follow else _FILE | os.O_NOFOLLOW
    try:
        return [
            _read_file(name, descriptor, print_, flags, tell)
            for name, print_ in zip(names, prints, strict=True)
        ]
    finally:
        os.close(descriptor)


def _read_file(name: bytes, folder: int, expected: bytes, flags: int, tell: Callable[[int], None]) -> Result:
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        return SPECIAL if error.errno in _NO_FILE else error.errno or UNKNOWN
    try:
        size = size_in(expected)
        if size <= SMALL:
            content = os.read(descriptor, size + 1)
            if len(content) == size and fingerprint_of(os.fstat(descriptor)) == expected:
                return hashlib.sha256(content).digest()
            os.lseek(descriptor, 0, os.SEEK_SET)
        return _read_steady(descriptor, expected, tell)
    except OSError as error:
        return SPECIAL if error.errno in _NO_FILE else error.errno or UNKNOWN
    finally:
        os.close(descriptor)


def _read_steady(descriptor: int, expected: bytes, tell: Callable[[int], None]) -> Result:
    """Reads until the file was in one state before and after, a few times at most."""
    before = expected
    for _ in range(ATTEMPTS):
        size = size_in(before)
        digest, count = _read_pieces(descriptor, size, tell)
        status = os.fstat(descriptor)
        after = fingerprint_of(status)
        if after == before and count == size:
            return digest if before is expected else (digest, before)
        if not stat.S_ISREG(status.st_mode):
            return SPECIAL
        before = after
        os.lseek(descriptor, 0, os.SEEK_SET)
    return MOVING


def _read_pieces(descriptor: int, size: int, tell: Callable[[int], None]) -> tuple[bytes, int]:
    """Digest and length of at most `size` + 1 bytes: one more shows a file that grows, and ends at a device.

    Never mapped: a file that is cut meanwhile would kill us.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return b"", 0
    sparse = status.st_blocks * 512 < size
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    place, data_end = 0, 0 if sparse else size + 1
    while place <= size:
        if place >= data_end:
            data, data_end = _data_after(descriptor, place, size)
            _hash_zeros(hasher, data - place, tell)
            place = data
        count = os.readv(descriptor, [buffer[: min(PIECE, max(data_end - place, 1))]])
        if not count:
            break
        hasher.update(buffer[:count])
        place += count
        tell(count)
    return hasher.digest(), place


def _data_after(descriptor: int, place: int, size: int) -> tuple[int, int]:
    """Where the next bytes after `place` that are no hole begin and end; the file's position is put there."""
    try:
        begin = os.lseek(descriptor, place, os.SEEK_DATA)
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
    except OSError as error:
        # ENXIO: only a hole is left. A file system that knows of no holes: all is data.
        begin, end = (size if error.errno == errno.ENXIO else place), size + 1
    begin = max(place, min(begin, size))
    os.lseek(descriptor, begin, os.SEEK_SET)
    return begin, end


def _hash_zeros(hasher: Any, count: int, tell: Callable[[int], None]) -> None:
    for length in (*(PIECE for _ in range(count // PIECE)), count % PIECE):
        hasher.update(_ZEROS if length == PIECE else _ZEROS[:length])
        tell(length)


def send(descriptor: int, value: Any) -> None:
    """Writes one frame. Raises OSError."""
    content = marshal.dumps(value)
    rest = memoryview(_LENGTH.pack(len(content)) + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> Any:
    """Reads one frame, or None where the other side is gone. Raises OSError."""
    head = _read_exactly(descriptor, _LENGTH.size)
    if head is None:
        return None
    content = _read_exactly(descriptor, _LENGTH.unpack(head)[0])
    return None if content is None else marshal.loads(content)


def _read_exactly(descriptor: int, length: int) -> bytes | None:
    pieces = []
    while length:
        piece = os.read(descriptor, length)
        if not piece:
            return None
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def serve() -> None:
    """Answers requests until nobody asks any more."""
    # Ctrl-C goes to all of a terminal's programs; ours is told by the end of its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    untold = 0

    def tell(count: int) -> None:
        nonlocal untold
        untold += count
        if untold >= _TELL:
            send(1, untold)
            untold = 0

    while (request := receive(0)) is not None:
        send(
            1, [read_batch(folder, names, prints, follow, tell) for folder, names, prints, follow in request]
        )


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        serve()
