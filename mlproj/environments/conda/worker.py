"""The program that calls rattler, whose threads go on after an interrupt and have Python abort as it ends.

It reads orders from standard input, a line of JSON each, and answers each on standard output, with progress
before. It ends with whoever started it: nobody else's lock keeps others off the folder that it fills.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import NoReturn

import msgspec

from mlproj.environments.conda.installer import install
from mlproj.environments.conda.orders import Answer, Failure, Linking, Order, Reading, Solving
from mlproj.environments.conda.solver import read, solve
from mlproj.errors import EnvironmentFailed, unreachable
from mlproj.files import write_all
from mlproj.model.events import Progress

_PR_SET_PDEATHSIG = 1
"""From `linux/prctl.h`."""


def main() -> NoReturn:
    """Carries out orders until there are no more. The argument is the process that they come from."""
    _end_with(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        _say(_answer(msgspec.json.decode(line, type=Order)))
    os._exit(0)


def _answer(order: Order) -> Answer:
    try:
        match order:
            case Solving():
                return Answer(lock=solve(order))
            case Linking():
                return Answer(notes=install(order, _say))
            case Reading():
                return Answer(lock=read(order))
            case _:
                unreachable(order)
    except EnvironmentFailed as error:
        failure = Failure(message=error.message, hint=error.hint, output=error.output)
    except OSError as error:
        place = f" (`{error.filename}`)" if error.filename else ""
        failure = Failure(message=f"{error.strerror or error}{place}", hint=None, output="")
    return Answer(failure=failure)


def _say(message: Answer | Progress) -> None:
    write_all(1, msgspec.json.encode(message) + b"\n")


def _end_with(parent: int) -> None:
    # Whoever interrupts us interrupts the one who waits for us, and that one ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.02)
    os._exit(1)
