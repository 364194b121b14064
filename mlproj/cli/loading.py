"""Imports of what a command needs, during which an interrupt ends the process at once and without a word."""

from __future__ import annotations

import importlib
import signal
import threading
from types import ModuleType


def load(name: str) -> ModuleType:
    """The module of that name.

    Nothing has begun yet that would have to be closed, and importlib can lose an exception that a signal
    raises in it: so the signal has its plain effect meanwhile, unless it is ignored.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        return importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return importlib.import_module(name)
    finally:
        signal.signal(signal.SIGINT, handler)
