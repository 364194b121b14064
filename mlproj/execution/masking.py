"""Takes a secret of ours out of what the child prints, also where it comes in pieces, however far apart."""

from __future__ import annotations

from mlproj.model.redaction import MASK

FEW = 6
"""So many characters may be the beginning of anything, and tell nothing of the secret."""


class Mask:
    """For one stream. Of a piece that may end within the secret, that end is held until the next."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._shown = 0
        """How much of the secret's beginning has come out last, and may be gone on with."""
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What is known to hold no secret of `data`, and of what was held before it."""
        shown, text = self._shown, self._secret[: self._shown] + self._held + data
        first = text.find(self._secret)
        if 0 <= first < shown:
            shown, text = 0, MASK.encode() + text[first + len(self._secret) :]
        text = text.replace(self._secret, MASK.encode())
        begun = len(text) - _overlap(text, self._secret)
        cut = max(begun, shown)
        self._shown, self._held = cut - begun, text[cut:]
        return text[shown:cut]

    def rest(self) -> bytes:
        """What is still held, as nothing more came for a while; nothing where it must be the secret's."""
        if self._shown + len(self._held) > FEW:
            return b""
        rest, self._held = self._held, b""
        self._shown += len(rest)
        return rest

    def end(self) -> bytes:
        """What is still held, as nothing more will come."""
        return self.rest() or (MASK.encode() if self._held else b"")


def _overlap(text: bytes, secret: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of the secret."""
    most = min(len(text), len(secret) - 1)
    return next((length for length in range(most, 0, -1) if text.endswith(secret[:length])), 0)
