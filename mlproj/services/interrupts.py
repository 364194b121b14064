"""Signals that ask mlproj to stop become one exception, so that a run is closed however it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from mlproj.errors import Interrupted
from mlproj.process import STOPPING


class Interrupts:
    """Turns a signal into Interrupted, raised in the main thread, except while it is held back.

    What was asked for is kept as well: an exception in the midst of an import or a finaliser gets lost.
    """

    def __init__(self) -> None:
        self._held = False
        self._asked: int | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Signals wait for the next stretch that allows them: what is being written down is written whole."""
        self._raise_asked()
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
            self._raise_asked()
            yield
            self._raise_asked()
        finally:
            self._held = True

    def handle(self, number: int, _frame: FrameType | None) -> None:
        self._asked = number
        if not self._held:
            raise Interrupted(number)

    def _raise_asked(self) -> None:
        if self._asked is not None:
            raise Interrupted(self._asked)


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
            for number in STOPPING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    earlier[number] = signal.signal(number, interrupts.handle)
        yield interrupts
    finally:
        for number, previous in earlier.items():
            signal.signal(number, previous)
