"""The file of a stat cache: blocks of entries in the order of their paths, read and written as a stream.

After a line that names the format come blocks, each with its length and SHA-256 ahead of it; the payload is
a MessagePack map. What follows damage counts as not there. Nothing in here fails: a file that cannot be read
is an empty one, one that cannot be written stays as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mlproj.files import write_all

Entries = dict[bytes, bytes]
"""What is known by path, in the order of the paths."""

_FORMAT = b"mlproj stat cache 2\n"
_HEAD = struct.Struct("=Q32s")
_BLOCK = 1024
"""Entries in a block."""
_LONGEST = 1 << 30
"""Bytes in a block: more is damage."""
_PIECE = 1 << 20
_decode = msgspec.msgpack.Decoder(Entries).decode


class OldFile:
    """What an earlier process left."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.valid = self.bytes_at(0, len(_FORMAT)) == _FORMAT

    def blocks(self) -> Iterator[Entries]:
        """The blocks, up to the end or the first damage."""
        place = len(_FORMAT)
        while self.valid:
            head = self.bytes_at(place, _HEAD.size)
            if len(head) < _HEAD.size:
                return
            length, digest = _HEAD.unpack(head)
            payload = self.bytes_at(place + len(head), length) if length < _LONGEST else b""
            if hashlib.sha256(payload).digest() != digest:
                return
            try:
                entries = _decode(payload)
            except msgspec.DecodeError:
                return
            if entries:
                yield entries
            place += len(head) + length

    def bytes_at(self, place: int, length: int) -> bytes:
        """As many of the bytes at `place` as there are."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                return os.pread(self._descriptor, length, place)
        return b""

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class NewFile:
    """Takes the place of the old file at the end; as long as it would say the same, nothing is written."""

    def __init__(self, path: Path, old: OldFile) -> None:
        self._path = path
        self._old = old
        self._same = len(_FORMAT) if old.valid else 0
        """How many bytes of the old file the new one begins with."""
        self._entries: Entries = {}
        self._descriptor: int | None = None
        self._aside = ""
        self._failed = False
        self.last = b""
        """The path of the last entry."""

    def add(self, entries: Entries) -> None:
        """Takes in what comes next, in the order of the paths."""
        self.last = next(reversed(entries), self.last)
        for path, entry in entries.items():
            self._entries[path] = entry
            if len(self._entries) == _BLOCK:
                self._end_block()

    def put_in_place(self) -> None:
        if self._entries:
            self._end_block()
        if self._descriptor is None and self._old.bytes_at(self._same, 1):
            self._write(b"")  # the old one holds more
        if self._descriptor is not None and not self._failed:
            with contextlib.suppress(OSError):
                os.replace(self._aside, self._path)
                self._aside = ""

    def close(self) -> None:
        """Leaves nothing behind but what was put in place."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._aside:
            with contextlib.suppress(OSError):
                os.unlink(self._aside)

    def _end_block(self) -> None:
        payload = msgspec.msgpack.encode(self._entries)
        self._entries = {}
        block = _HEAD.pack(len(payload), hashlib.sha256(payload).digest()) + payload
        same = self._descriptor is None and self._same and self._old.bytes_at(self._same, len(block)) == block
        if same:
            self._same += len(block)
        else:
            self._write(block)

    def _write(self, block: bytes) -> None:
        if self._failed:
            return
        try:
            if self._descriptor is None:
                self._descriptor = self._begin()
            write_all(self._descriptor, block)
        except OSError:
            self._failed = True

    def _begin(self) -> int:
        """Opens a file aside, with what is the same so far."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, self._aside = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        write_all(descriptor, b"" if self._same else _FORMAT)
        for place in range(0, self._same, _PIECE):
            write_all(descriptor, self._old.bytes_at(place, min(_PIECE, self._same - place)))
        return descriptor
