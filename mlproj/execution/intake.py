"""Takes in what the child writes, as it comes; crumbs in a row are given a moment to become a piece.

A program that flushes every line would else wake us for each of them, and share its processor with us.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from functools import partial

from mlproj.execution import streams
from mlproj.execution.streams import Channel

CRUMB = 32 * 1024
"""Bytes; a piece that is smaller has left room in its pipe."""
IN_A_ROW = 8
"""After so many crumbs the next ones wait: what a person waits for is seldom more."""
REST = 0.002
"""Seconds for which a pipe is left alone then."""
FULL = streams.PIECE // 2
"""Bytes; who writes so much at once, or within a rest, is soon held up by a pipe that nobody empties."""
RESTLESS = 500
"""So many more crumbs of such a one are taken without a rest."""
QUIET = 0.01
"""Seconds after which what comes begins a new row."""


class Intake:
    """Reads the channels whenever the selector finds them ready, and gives `take` each piece with its stream.

    The order of two streams stays what it would be without rests: one that rests is read before the other.
    Times are in seconds of one clock.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        take: Callable[[str, bytes, float], None],
        clock: Callable[[], float],
    ) -> None:
        self.due: float | None = None
        """When the rest of a channel is over, if one rests."""
        self._selector = selector
        self._take = take
        self._clock = clock
        self._open: set[str] = set()
        self._resting: Channel | None = None
        self._row = 0
        self._last = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there may be more to come."""
        return bool(self._open)

    def add(self, channel: Channel) -> None:
        self._open.add(channel.name)
        self._listen(channel)

    def resume(self) -> Channel | None:
        """Listens again to the channel that rests, if one does, and returns it."""
        channel, self._resting, self.due = self._resting, None, None
        if channel is not None:
            self._listen(channel)
        return channel

    def _listen(self, channel: Channel) -> None:
        self._selector.register(channel.ours, selectors.EVENT_READ, partial(self._ready, channel))

    def _ready(self, channel: Channel) -> None:
        earlier = self.resume()
        if earlier is not None:
            self._read(earlier)
            self._row = 0
        size = self._read(channel)
        if 0 < size < CRUMB and self._row >= IN_A_ROW and channel.shown_on is None:
            self._selector.unregister(channel.ours)
            self._resting, self.due = channel, self._last + REST

    def _count(self, size: int, now: float) -> None:
        if size >= FULL:
            self._row = -RESTLESS
        elif now - self._last >= QUIET:
            self._row = 0
        elif size < CRUMB:
            self._row += 1
        self._last = now

    def _read(self, channel: Channel) -> int:
        """Takes a piece, if there is one, and returns its size."""
        data = streams.read(channel)
        if data:
            now = self._clock()
            self._count(len(data), now)
            self._take(channel.name, data, now)
            return len(data)
        if data is not None:
            self._selector.unregister(channel.ours)
            self._open.discard(channel.name)
        return 0
