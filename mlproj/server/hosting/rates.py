"""Holds each caller to so many requests in a time, counted over all workers of a server.

The times lie in memory that the workers share. Nobody locks it: a worker that is killed would keep the lock,
and what two that write at once get wrong is one request more.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import secrets
import struct
import time
from collections.abc import Callable

from mlproj.server.access import Application, Receive, Refusal, Scope, Send
from mlproj.server.failures import TOO_MANY, Failure
from mlproj.server.hosting.notes import notes_of
from mlproj.server.hosting.rules import Rate

_SLOT = struct.Struct("=Qd")
_WAYS = 8
_SETS = 8192


class Ledger:
    """When each caller's requests would be worked off at an even pace. Made before the workers are.

    The one that is longest idle makes room for a new one, where there are very many.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._memory = mmap.mmap(-1, _SETS * _WAYS * _SLOT.size)

    def wait_s(self, caller: str) -> float:
        """Seconds after which this request would be one of those that the caller may make; 0 if it is, and
        then it counts."""
        name = int.from_bytes(hashlib.blake2b(caller.encode(), key=self._key, digest_size=8).digest(), "big")
        place, until = self._slot(name)
        now = self._clock()
        each = self._rate.seconds / self._rate.requests
        until = max(until, now) + each
        early = until - now - self._rate.seconds
        # Sums of seconds are not exact, and the last request of a burst is one that may be made.
        if early > each / 1000:
            return early
        _SLOT.pack_into(self._memory, place, name, until)
        return 0.0

    def _slot(self, name: int) -> tuple[int, float]:
        """Where the caller's time is or may be put, and what it is."""
        first = name % _SETS * _WAYS * _SLOT.size
        oldest, since = first, math.inf
        for place in range(first, first + _WAYS * _SLOT.size, _SLOT.size):
            known, until = _SLOT.unpack_from(self._memory, place)
            if known == name:
                return place, until
            if until < since:
                oldest, since = place, until
        return oldest, 0.0


class Paced:
    """Refuses what comes too fast, by the caller's name, or by the address where nobody has to say a name."""

    def __init__(self, inner: Application, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        notes = notes_of(scope)
        wait = self._ledger.wait_s(f"user {notes.user}" if notes.user else f"address {notes.address}")
        if not wait:
            await self._inner(scope, receive, send)
            return
        seconds = math.ceil(wait)
        failure = Failure(TOO_MANY, f"too many requests: the next is welcome in {seconds} s")
        await Refusal(failure, [(b"retry-after", str(seconds).encode())])(scope, receive, send)
