"""How contents go to a server: small ones together, large ones alone, and in parts where neither is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.packing import HEAD, packed
from mlproj.remote.connection import Away, TooLarge
from mlproj.remote.store.line import Line
from mlproj.store_ports import BlobStore
from mlproj.store_wire import BEGIN_CONTENT, END_CONTENT, BeginContent, EndContent

_AT_ONCE = 8 << 20
"""Bytes of small contents in one stream; a larger content has its own."""
_FEW = 500
_LEAST = 64 << 10
"""A server, or a proxy before it, that takes no part of so many bytes takes no record either."""
_MOST_PARTS = 10_000


def streams(sizes: Mapping[Digest, int]) -> Iterator[list[tuple[Digest, int]]]:
    """What goes together: large contents alone, small ones in company."""
    some: list[tuple[Digest, int]] = []
    taken = 0
    for digest, size in sizes.items():
        if size > _AT_ONCE:
            yield [(digest, size)]
            continue
        if some and (taken + size > _AT_ONCE or len(some) >= _FEW):
            yield some
            some, taken = [], 0
        some.append((digest, size))
        taken += size
    if some:
        yield some


class Sender:
    """Sends contents that lie `here`. May be used from several threads."""

    def __init__(self, line: Line, here: BlobStore) -> None:
        self._line = line
        self._here = here
        self._taken: int | None = None

    def send(self, stream: Sequence[tuple[Digest, int]]) -> int:
        """Sends contents with their sizes, together if they are taken so; how many bytes they have. Raises
        StoreError."""
        size = sum(size for _, size in stream)
        if not self._is_too_large(size):
            try:
                self._send_whole(stream, size)
                return size
            except TooLarge:
                self._note_too_large(size)
            except Away:
                # Whoever does not want more of a large content may hang up instead of saying so.
                if size <= _AT_ONCE:
                    raise
                self._note_too_large(size)
        if len(stream) == 1:
            self._send_in_parts(*stream[0])
        else:
            half = len(stream) // 2
            for some in (stream[:half], stream[half:]):
                self.send(some)
        return size

    def _is_too_large(self, size: int) -> bool:
        return self._taken is not None and size > self._taken

    def _note_too_large(self, size: int) -> None:
        """So large a request is not tried again."""
        taken = min(size // 2, _AT_ONCE)
        self._taken = taken if self._taken is None else min(taken, self._taken)

    def _send_whole(self, stream: Sequence[tuple[Digest, int]], size: int) -> None:
        pieces = packed(self._here, [digest for digest, _ in stream])
        # What is small can be sent once more where the server was busy.
        if size <= _AT_ONCE:
            self._line.send(b"".join(pieces))
        else:
            self._line.send(pieces, size + HEAD.size * len(stream))

    def _send_in_parts(self, digest: Digest, size: int) -> None:
        part = self._taken or _AT_ONCE
        while True:
            part = max(part, _LEAST, -(-size // _MOST_PARTS))
            try:
                self._send_parts(digest, size, part)
                return
            except TooLarge as error:
                if part // 2 < max(_LEAST, size // _MOST_PARTS):
                    raise _refused(error, size) from error
                part //= 2
                self._taken = part

    def _send_parts(self, digest: Digest, size: int, part: int) -> None:
        count = max(1, -(-size // part))
        upload = self._line.ask(BEGIN_CONTENT, BeginContent(digest=digest, parts=count))
        tags = []
        with self._here.path(digest).open("rb") as file:
            for number in range(1, count + 1):
                tags.append(self._line.send_part(digest, upload, number, file.read(part)))
        self._line.ask(END_CONTENT, EndContent(digest=digest, upload=upload, parts=tuple(tags)))


def _refused(error: TooLarge, size: int) -> StoreError:
    return TooLarge(f"a content of {size} bytes does not get there: {error.message}", hint=error.hint)
