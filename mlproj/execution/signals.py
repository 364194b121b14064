"""Signals as data: for the length of a run they arrive as bytes on a descriptor, not as exceptions."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from mlproj.process import STOPPING


@contextlib.contextmanager
def listening(hear: Callable[[int], object]) -> Iterator[int | None]:
    """A descriptor that gives a byte, its number, for each of the signals that came.

    `hear` is called with the number too, in the midst of whatever goes on, and may end that with an
    exception. None in a thread other than the main one, where Python cannot listen and signals are left
    alone. At the end the earlier handlers are back, and get what came too late to be read.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, False)
    earlier_descriptor = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    earlier = {int(number): signal.signal(number, lambda n, _frame: hear(n)) for number in _heard()}
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        # Ignored, it would have the kernel forget the child's exit code.
        earlier[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield ours
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier_descriptor)
        late = read(ours)
        os.close(ours)
        os.close(theirs)
        for number in late:
            if number in earlier and number in STOPPING:
                signal.raise_signal(number)


def read(descriptor: int) -> tuple[int, ...]:
    """The signals that came since the last time."""
    try:
        return tuple(os.read(descriptor, 4096))
    except BlockingIOError:
        return ()


def _heard() -> tuple[signal.Signals, ...]:
    """What is listened for; a signal that was ignored before us (`nohup`, a script's `&`) stays ignored."""
    asked = tuple(number for number in STOPPING if signal.getsignal(number) not in (signal.SIG_IGN, None))
    return (*asked, *((signal.SIGWINCH,) if signal.getsignal(signal.SIGWINCH) is not None else ()))
