"""Tells a server from time to time that the runner of a run lives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from mlproj.errors import MlprojError
from mlproj.far_ports import SILENCE_S

_EVERY_S = SILENCE_S / 4


@contextlib.contextmanager
def pulse(tell: Callable[[], None]) -> Iterator[None]:
    """For the length of the `with`. That nobody hears it is no reason to stop."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(_EVERY_S):
            with contextlib.suppress(MlprojError):
                tell()

    thread = threading.Thread(target=go_on, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
