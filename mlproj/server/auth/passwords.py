"""Passwords, kept as Argon2 makes them: slow to guess, and slow to check, so that is not done twice."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mlproj.model.access import PASSWORD_COST

REMEMBERED_S = 60.0
"""So long a password that was right is known without being checked again."""

_MOST = 1000
_HASHER = PasswordHasher(*PASSWORD_COST)


class Passwords:
    """Checks passwords, a few at a time. May be used from several threads.

    What was right is remembered by a digest with a key of this process's own, for the kept hash that it was
    right for: a new password ends that at once.
    """

    def __init__(self, at_once: int = 2) -> None:
        self._turns = threading.BoundedSemaphore(at_once)
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._nobodys = _HASHER.hash(secrets.token_hex(16))

    def is_right(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one that `kept` was made of; as slow for None as for a wrong one."""
        mark = self._mark(password, kept)
        if kept is not None and self._remembers(mark):
            return True
        with self._turns:
            try:
                right = _HASHER.verify(kept or self._nobodys, password) and kept is not None
            except (VerificationError, InvalidHashError, UnicodeEncodeError):
                return False
        if right:
            self._remember(mark)
        return right

    def remembers(self, password: str, kept: str | None) -> bool:
        """Whether that is known to be right without a slow look."""
        return kept is not None and self._remembers(self._mark(password, kept))

    def _mark(self, password: str, kept: str | None) -> bytes:
        content = f"{kept}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, content, hashlib.sha256)

    def _remembers(self, mark: bytes) -> bool:
        with self._lock:
            since = self._right.get(mark)
            return since is not None and time.monotonic() - since < REMEMBERED_S

    def _remember(self, mark: bytes) -> None:
        with self._lock:
            self._right[mark] = time.monotonic()
            self._right.move_to_end(mark)
            while len(self._right) > _MOST:
                self._right.popitem(last=False)
