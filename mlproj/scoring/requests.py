"""Reads HTTP requests off a connection: strictly, within bounds, and by the standard library alone."""

from __future__ import annotations

import asyncio
import re
from typing import IO, NamedTuple

from .exchange import PLAIN, Answer, Refused, Request

LONGEST_HEAD = 64 * 1024
LONGEST_LINE = 1024
SMALL = 1024 * 1024
"""Bytes of a body that takes no room worth speaking of."""
_PIECE = 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_START = re.compile(rb"([A-Z]{1,20}) (\S{1,8192}) HTTP/1\.([01])")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(;.*)?")


class Head(NamedTuple):
    """A request without its body, which has `length` bytes, or comes in chunks."""

    request: Request
    length: int
    is_chunked: bool

    @property
    def asks_first(self) -> bool:
        """Whether its body comes once somebody says `CONTINUE`."""
        has_body = self.length > 0 or self.is_chunked
        return has_body and self.request.headers.get("expect", "").lower() == "100-continue"


async def read_head(reader: asyncio.StreamReader, most: int) -> Head | None:
    """The beginning of the next request, whose body may have `most` bytes; None where the connection ended
    before one. Raises Refused."""
    try:
        head = _read_head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise _refused(431, "the header of the request is too long") from None
    if head.length > most:
        raise _too_large(most)
    return head


async def read_body(reader: asyncio.StreamReader, head: Head, most: int, into: IO[bytes]) -> int | None:
    """Brings the body, of `most` bytes at most, into a file, as it comes. Returns its size; None where the
    connection ends before the body. Raises Refused."""
    try:
        await (_chunks(reader, most, into) if head.is_chunked else _pieces(reader, head.length, into))
    except asyncio.IncompleteReadError:
        return None
    size = into.tell()
    into.seek(0)
    return size


def _read_head(head: bytes) -> Head:
    start, *lines = head[:-4].split(b"\r\n")
    found = _START.fullmatch(start)
    if found is None:
        raise _refused(400, "the first line is none of an HTTP request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise _refused(400, "a line of the header has no name")
        key = name.decode().lower()
        if key in headers and key in ("content-length", "transfer-encoding"):
            raise _refused(400, f"the request has more than one {key}")
        headers[key] = value.strip(b" \t").decode("latin-1")
    wishes = {word.strip() for word in headers.get("connection", "").lower().split(",")}
    lasts = found[3] == b"1" and "close" not in wishes
    path = found[2].decode("latin-1").partition("?")[0]
    return Head(Request(found[1].decode(), path, headers, lasts=lasts), *_framing(headers))


def _framing(headers: dict[str, str]) -> tuple[int, bool]:
    """The length of the body, or that it comes in chunks."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise _refused(400, "the length of the body cannot be told")
        return 0, True
    if length is None:
        return 0, False
    if not _LENGTH.fullmatch(length):
        raise _refused(400, "the length of the body is no number")
    return int(length), False


async def _pieces(reader: asyncio.StreamReader, length: int, into: IO[bytes]) -> None:
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(piece, length)
        length -= len(piece)
        try:
            into.write(piece)
        except OSError:
            raise _refused(507, "there is no room on the disk for the body") from None


async def _chunks(reader: asyncio.StreamReader, most: int, into: IO[bytes]) -> None:
    size = 0
    while True:
        found = _CHUNK.fullmatch(await _line(reader))
        if found is None:
            raise _refused(400, "a chunk of the body has no length")
        length = int(found[1], 16)
        size += length
        if size > most:
            raise _too_large(most)
        if not length:
            break
        await _pieces(reader, length, into)
        if await _line(reader):
            raise _refused(400, "a chunk of the body is longer than it says")
    while await _line(reader):
        pass


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError:
        line = b" " * (LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise _refused(400, "a line of the body is too long")
    return line[:-2]


def _too_large(most: int) -> Refused:
    return _refused(413, f"the body has more than the {most} bytes that are taken")


def _refused(status: int, sentence: str) -> Refused:
    return Refused(Answer(status, sentence.encode(), PLAIN, (("connection", "close"),)))
