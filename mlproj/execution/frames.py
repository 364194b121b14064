"""The engine's one stream of a container's output, taken apart into the two that it was made of."""

from __future__ import annotations

from collections.abc import Iterator

_NAMES = {1: "stdout", 2: "stderr"}
_HEADER = 8
"""Bytes before each piece: the stream's number, three zeros, and the piece's length in four."""


class Frames:
    """Takes pieces as they come off the connection, which has no regard for where frames end."""

    def __init__(self) -> None:
        self._header = b""
        self._stream: str | None = None
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """What of each stream is in `data`, in order. What is neither stream's is passed over."""
        while data:
            if self._left == 0:
                missing = _HEADER - len(self._header)
                self._header, data = self._header + data[:missing], data[missing:]
                if len(self._header) == _HEADER:
                    self._stream = _NAMES.get(self._header[0])
                    self._left = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                continue
            piece, data = data[: self._left], data[self._left :]
            self._left -= len(piece)
            if self._stream is not None:
                yield self._stream, piece
