"""Takes a secret of ours out of what the child prints, also where it comes in two pieces."""

from __future__ import annotations

from mlproj.model.redaction import MASK


class Mask:
    """For one stream. Of a piece that may end within the secret, that end is held until the next."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What is known to hold no secret of `data`, and of what was held before it."""
        whole = (self._held + data).replace(self._secret, MASK.encode())
        kept = _overlap(whole, self._secret)
        self._held = whole[len(whole) - kept :]
        return whole[: len(whole) - kept]

    def rest(self) -> bytes:
        """What is still held, as nothing more came."""
        rest, self._held = self._held, b""
        return rest


def _overlap(text: bytes, secret: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of the secret."""
    most = min(len(text), len(secret) - 1)
    return next((length for length in range(most, 0, -1) if text.endswith(secret[:length])), 0)
