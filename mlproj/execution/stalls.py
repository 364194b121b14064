"""Frees us from a reader who stopped reading: a stop, or the end of a run's time, must not wait for one.

Whoever tells of output waits until somebody takes it, as every program does. The loop that hears signals and
looks at the clock waits with it, though. Once the run is to end and a report has lasted too long, a signal
to ourselves ends the report with TimeoutError: its stream then counts as gone. (Not with InterruptedError,
after which a buffered stream tries again.)
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from collections.abc import Iterator

from mlproj.model.events import Event, Report
from mlproj.process import STOPPING

PATIENCE = 1.0
"""Seconds that a report may take once the run is to end."""


class Stalls:
    """Watches over reports in the main thread; elsewhere nobody is freed. `ends` is when the run's time is
    over, on the monotonic clock."""

    def __init__(self, ends: float | None = None) -> None:
        self._ends = ends
        self._since: float | None = None
        self._asked = False
        self._closed = threading.Event()
        self._watching = False
        self._main = threading.main_thread().ident

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Without an end in time, nothing is done until a signal asks to stop."""
        if self._ends is not None:
            self._watch()
        try:
            yield
        finally:
            self._closed.set()

    @contextlib.contextmanager
    def report(self) -> Iterator[None]:
        """Around a report, which may then end with TimeoutError."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def hear(self, number: int) -> None:
        """A signal came, in the main thread. Raises TimeoutError where a report has to end."""
        if number in STOPPING:
            self._asked = True
            self._watch()
        if self._is_stalled():
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def _is_stalled(self) -> bool:
        now, since = time.monotonic(), self._since
        due = self._asked or (self._ends is not None and now >= self._ends)
        return due and since is not None and now - since >= PATIENCE

    def _watch(self) -> None:
        if not self._watching and threading.current_thread() is threading.main_thread():
            self._watching = True
            threading.Thread(target=self._poke, daemon=True).start()

    def _poke(self) -> None:
        """Has the main thread look up from a write. A change of the window's size is no news to anybody."""
        if self._ends is not None:
            self._closed.wait(max(0.0, self._ends - time.monotonic()))
        while not self._closed.wait(PATIENCE / 4):
            if self._is_stalled() and self._main is not None:
                signal.pthread_kill(self._main, signal.SIGWINCH)


def freed(report: Report, stalls: Stalls) -> Report:
    """The report, each call of which may end with TimeoutError once the run is to end."""

    def tell(event: Event) -> None:
        with stalls.report():
            report(event)

    return tell
