"""The zip that a bundle is: nothing compressed, in one order, and every byte of it decided by what it holds.

So the same files are the same bytes on every machine, no entry unpacks to more than what lies there, and no
byte can be changed unnoticed: what is read is written anew in mind, and has to be the same. Python's
`zipfile` passes over what it does not need (times, attributes, comments, gaps), where a change would hide.
The notation is that of PKWARE's APPNOTE 6.3.9, with Zip64 where a number needs it.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from mlproj.errors import Altered

PIECE = 1 << 20

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL_SIGN, _CENTRAL_SIGN, _END_SIGN = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_END64_SIGN, _LOCATOR_SIGN = b"PK\6\6", b"PK\6\7"
_PLAIN, _ZIP64 = 20, 45
"""The versions of the notation that a reader must know: 2.0, and 4.5 for Zip64."""
_UNIX = 3 << 8
_UTF8, _ENCRYPTED = 0x800, 0x1
_STORED = 0
_NEW_YEAR_1980 = 0x21
_MOST16, _MOST32 = 0xFFFF, 0xFFFFFFFF


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a container: `offset` is where its header begins, `crc` the CRC-32 of its content."""

    name: str
    size: int
    crc: int
    executable: bool = False
    offset: int

    @property
    def header(self) -> bytes:
        """What stands before the content."""
        name, extra = self.name.encode(), struct.pack("<2H2Q", 1, 16, self.size, self.size)
        large = self.size >= _MOST32
        told = _MOST32 if large else self.size
        return (
            _LOCAL.pack(
                _LOCAL_SIGN,
                _ZIP64 if large else _PLAIN,
                *(_UTF8, _STORED, 0, _NEW_YEAR_1980),
                *(self.crc, told, told, len(name), len(extra) if large else 0),
            )
            + name
            + (extra if large else b"")
        )

    @property
    def entry(self) -> bytes:
        """What stands in the directory."""
        name, large, far = self.name.encode(), self.size >= _MOST32, self.offset >= _MOST32
        numbers = (*((self.size, self.size) if large else ()), *((self.offset,) if far else ()))
        extra = struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
        version, told = (_ZIP64 if numbers else _PLAIN), (_MOST32 if large else self.size)
        mode = stat.S_IFREG | (0o755 if self.executable else 0o644)
        return (
            _CENTRAL.pack(
                *(_CENTRAL_SIGN, _UNIX | version, version, _UTF8, _STORED, 0, _NEW_YEAR_1980),
                *(self.crc, told, told, len(name), len(extra), 0, 0, 0, mode << 16),
                _MOST32 if far else self.offset,
            )
            + name
            + extra
        )

    @property
    def start(self) -> int:
        """Where its content begins."""
        return self.offset + len(self.header)

    @property
    def end(self) -> int:
        return self.start + self.size


def directory(members: tuple[Member, ...]) -> bytes:
    """All that stands after the last content."""
    listing = b"".join(member.entry for member in members)
    start, size, count = members[-1].end if members else 0, len(listing), len(members)
    large = b""
    if count >= _MOST16 or start >= _MOST32 or size >= _MOST32:
        version = (_UNIX | _ZIP64, _ZIP64)
        large = _END64.pack(_END64_SIGN, _END64.size - 12, *version, 0, 0, count, count, size, start)
        large += _LOCATOR.pack(_LOCATOR_SIGN, 0, start + size, 1)
    few, near, short = min(count, _MOST16), min(start, _MOST32), min(size, _MOST32)
    return listing + large + _END.pack(_END_SIGN, 0, 0, few, few, short, near, 0)


class Writer:
    """Writes a container into a file that is open for writing and empty, one member after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._members: list[Member] = []

    def add(self, name: str, size: int, pieces: Iterator[bytes], *, executable: bool = False) -> None:
        """The next member, whose content is `size` bytes long. Raises ValueError where it is not."""
        offset = self._members[-1].end if self._members else 0
        blank = Member(name=name, size=size, crc=0, executable=executable, offset=offset)
        self._file.write(blank.header)
        crc, written = 0, 0
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            written += len(piece)
            self._file.write(piece)
        if written != size:
            raise ValueError(f"`{name}` is {written} bytes long, not {size}")
        member = msgspec.structs.replace(blank, crc=crc)
        self._file.seek(offset)
        self._file.write(member.header)
        self._file.seek(member.end)
        self._members.append(member)

    def finish(self) -> None:
        self._file.write(directory(tuple(self._members)))


def read_members(file: BinaryIO, *, most: int) -> tuple[Member, ...]:
    """The members of a container, which has `most` of them at most, in their order; contents are not read.

    Raises Altered for anything that no `Writer` writes.
    """
    total = os.fstat(file.fileno()).st_size
    count, size, start = _end(file, total)
    if count > most:
        raise Altered(f"it holds {count} files, more than the {most} that are read", hint=_LIMITS)
    if start + size > total or size < count * _CENTRAL.size:
        raise Altered("its list of files does not lie where it says")
    members = _listed(_read(file, start, size), count)
    place = 0
    for member in members:
        if member.offset != place:
            raise Altered(f"`{member.name}` does not begin where the file before it ends")
        if _read(file, place, len(member.header)) != member.header:
            raise Altered(f"the header of `{member.name}` is not what the list of files says")
        place = member.end
    if place != start:
        raise Altered("something lies between its files and the list of them")
    if _read(file, start, total - start) != directory(members):
        raise Altered("its list of files is not as mlproj writes it", hint=_PACKED_ANEW)
    return members


def read_content(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """What a member holds, a piece at a time. Raises Altered where it is not what its header says."""
    file.seek(member.start)
    crc, rest = 0, member.size
    while rest:
        piece = file.read(min(PIECE, rest))
        if not piece:
            raise Altered(f"`{member.name}` is cut short")
        crc = zlib.crc32(piece, crc)
        rest -= len(piece)
        yield piece
    if crc != member.crc:
        raise Altered(f"`{member.name}` has been altered: its CRC does not fit")


_LIMITS = "`MLPROJ_BUNDLE_LIMIT` and `MLPROJ_BUNDLE_FILES_LIMIT` say how much is read"
_PACKED_ANEW = "a bundle that another program packed anew is none: export it again"


def _end(file: BinaryIO, total: int) -> tuple[int, int, int]:
    """Number of files, and size and place of the list of them, as the end of the file says."""
    found = _read(file, max(0, total - _END.size), _END.size)
    if len(found) < _END.size or found[:4] != _END_SIGN:
        is_cut = _read(file, 0, 4) == _LOCAL_SIGN
        raise Altered("it is cut short" if is_cut else "it is no zip file", hint="look at where it came from")
    _, disk, first, here, count, size, start, _ = _END.unpack(found)
    if disk or first or here != count:
        raise Altered("it is a part of a zip file in several parts")
    if _MOST16 in (count,) or _MOST32 in (size, start):
        place = total - _END.size - _LOCATOR.size - _END64.size
        found = _read(file, max(0, place), _END64.size)
        if place < 0 or found[:4] != _END64_SIGN:
            raise Altered("its end is not that of a large zip file, as which it is marked")
        *_, count, size, start = _END64.unpack(found)
    return count, size, start


def _listed(listing: bytes, count: int) -> tuple[Member, ...]:
    members, place = [], 0
    for _ in range(count):
        fixed = listing[place : place + _CENTRAL.size]
        if len(fixed) < _CENTRAL.size or fixed[:4] != _CENTRAL_SIGN:
            raise Altered("its list of files breaks off")
        cells = _CENTRAL.unpack(fixed)
        flags, method, name_length, extra_length, note = cells[3], cells[4], cells[10], cells[11], cells[12]
        place += _CENTRAL.size
        name = _name(listing[place : place + name_length])
        extra = listing[place + name_length : place + name_length + extra_length]
        place += name_length + extra_length + note
        _refuse_kind(name, flags, method, cells[15] >> 16)
        size, offset = _large(name, extra, cells[9], cells[16])
        members.append(
            Member(
                name=name,
                size=size,
                crc=cells[7],
                executable=bool(cells[15] >> 16 & stat.S_IXUSR),
                offset=offset,
            )
        )
    return tuple(members)


def _name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Altered(f"the name of a file in it is no UTF-8: {raw!r}") from error


def _refuse_kind(name: str, flags: int, method: int, mode: int) -> None:
    if flags & _ENCRYPTED:
        raise Altered(f"`{name}` is encrypted")
    if method != _STORED:
        raise Altered(f"`{name}` is compressed, and nothing in a bundle is", hint=_PACKED_ANEW)
    if not stat.S_ISREG(mode):
        raise Altered(f"`{name}` is a link, a folder or something else that is no file", hint=_PACKED_ANEW)


def _large(name: str, extra: bytes, size: int, offset: int) -> tuple[int, int]:
    """Size and offset, where they do not fit into the entry itself."""
    wanted = (2 if size == _MOST32 else 0) + (offset == _MOST32)
    if not wanted:
        return size, offset
    if len(extra) != 4 + 8 * wanted:
        raise Altered(f"the size of `{name}` is not told")
    numbers = struct.unpack(f"<{wanted}Q", extra[4:])
    return numbers[0] if size == _MOST32 else size, numbers[-1] if offset == _MOST32 else offset


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)
