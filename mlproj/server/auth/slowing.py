"""Slows down whoever guesses: after a few failures each further attempt has to wait longer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec

FREE = 5
"""So many failures cost nothing: people mistype."""
FREE_OF_ADDRESS = 50
"""As `FREE`, of one address with whatever names: several people may sit behind it."""
LONGEST_S = 60.0
FORGOTTEN_S = 900.0

_FIRST_S = 0.5
_MOST = 10_000


class _Count(msgspec.Struct):
    failures: int = 0
    last: float = 0.0


class Slowing:
    """Counts failures by user and address, and by address. May be used from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, name: str, address: str) -> float:
        """Seconds until the next attempt is looked at; 0 where it is at once."""
        with self._lock:
            return max(self._left((name, address), FREE), self._left(address, FREE_OF_ADDRESS))

    def failed(self, name: str, address: str) -> None:
        with self._lock:
            for key in ((name, address), address):
                count = self._counts.setdefault(key, _Count())
                count.failures += 1
                count.last = self._clock()
                self._counts.move_to_end(key)
            while len(self._counts) > _MOST:
                self._counts.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forgets what this user got wrong from there; what others did from there stays."""
        with self._lock:
            self._counts.pop((name, address), None)

    def _left(self, key: Hashable, free: int) -> float:
        count = self._counts.get(key)
        if count is None:
            return 0.0
        since = self._clock() - count.last
        if since > FORGOTTEN_S:
            del self._counts[key]
            return 0.0
        beyond = count.failures - free
        if beyond < 0:
            return 0.0
        return max(0.0, min(_FIRST_S * 2.0 ** min(beyond, 20), LONGEST_S) - since)
