"""Threads that score, of which some may never come to an end: nothing can stop a thread from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .exchange import PLAIN, Answer

_LATE = Answer(504, b"Request processing time exceeded limit")
_HELD = Answer(503, b"requests that were given up hold the model", PLAIN, (("retry-after", "1"),))


class Threads:
    """So many of them; for each answer there are `timeout` seconds."""

    def __init__(self, count: int, timeout: float) -> None:
        self._pool = ThreadPoolExecutor(count)
        self._count = count
        self._timeout = timeout
        self._given_up: set[Future[Answer]] = set()
        """They were answered for, and are still worked on."""
        self._held_since = 0.0

    async def answer(self, score: Callable[..., Answer], *given: Any) -> Answer:
        """What `score` answers to what is given; 504 where that takes too long, and 503 where nothing is left
        that could work on it."""
        if self._are_held():
            return _HELD
        work = self._pool.submit(score, *given)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), self._timeout)
        except asyncio.TimeoutError:
            # What no thread has begun with will not be begun with.
            if not work.cancel():
                self._given_up.add(work)
                work.add_done_callback(self._given_up.discard)
                self._held_since = asyncio.get_running_loop().time()
            return _LATE

    def are_spent(self, now: float) -> bool:
        """Whether all of them have been at what was given up for as long as an answer may take once more."""
        return self._are_held() and now - self._held_since > self._timeout

    def _are_held(self) -> bool:
        return len(self._given_up) >= self._count
