"""Signals that ask mlproj to stop become one exception, so that a run is closed however it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from mlproj.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns a signal into Interrupted, raised in the main thread, except while it is held back."""

    def __init__(self) -> None:
        self._held = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Signals are swallowed: what is being written down is written whole."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Inside `held`: a stretch that may be interrupted after all."""
        self._held = False
        try:
            yield
        finally:
            self._held = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise Interrupted(number)


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Handles SIGINT, SIGTERM and SIGHUP for the length of the `with`, and restores what was before.

    Elsewhere than in the main thread (a program that runs projects in threads) signals are left alone, and
    so is one that is ignored, as `nohup` has it.
    """
    interrupts = Interrupts()
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    earlier[number] = signal.signal(number, interrupts.handle)
        yield interrupts
    finally:
        for number, previous in earlier.items():
            signal.signal(number, previous)
