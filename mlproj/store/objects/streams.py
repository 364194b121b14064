"""Bytes that are looked at as they pass: what they are the digest of, and whether that is as it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mlproj.errors import Altered
from mlproj.model.digest import Digest


class Measured(Iterator[bytes]):
    """The same pieces; once they have come, their digest is known."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._hasher = hashlib.sha256()

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(self._hasher.hexdigest())

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self._hasher.update(piece)
        return piece


def verified(digest: Digest, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a content; the last only comes if all is as it should be. Raises Altered."""
    measured = Measured(pieces)
    last: bytes | None = None
    for piece in measured:
        if last is not None:
            yield last
        last = piece
    if measured.digest != digest:
        raise Altered(f"the content `{digest}` is no longer what was recorded")
    if last is not None:
        yield last
