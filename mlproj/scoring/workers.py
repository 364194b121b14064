"""Processes that share a socket: each loads the model for itself, and one that dies has a successor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from .answers import Answers
from .exchange import Loaded, Unusable
from .listening import GRACE_S, Listening
from .patience import Clients
from .threads import Threads

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AT_ONCE = 4
"""Threads that score in each process: while a model waits for something, its process does something else."""
_SWITCH_S = 0.001
"""How long a thread that computes may keep the one that listens waiting."""
_LONGEST_REASON = 4096


class Terms(NamedTuple):
    """What every process serves by: `most` is the size of a body in bytes, `timeout` in seconds, and so is
    `stalled`, over which a client has to get on; `served` says which model it is."""

    load: Callable[[], Loaded]
    most: int
    timeout: float
    stalled: float
    served: dict[str, Any]


class Workers:
    """The processes, and the pipes that tell that one is ready and that this process is alive."""

    def __init__(self, listener: socket.socket, terms: Terms, until: int | None) -> None:
        self._listener = listener
        self._terms = terms
        self._until = until
        self._starting: dict[int, int] = {}
        """The worker whose word is awaited on each descriptor."""
        self._pids: list[int] = []
        self._stopped = False
        self._alive, self._held = os.pipe()
        self._woken, self._waking = os.pipe()

    def serve(self, count: int, ready: Callable[[], None]) -> None:
        """Until a signal asks for the end, or `until` ends. Raises Unusable where a worker cannot load the
        model."""
        self._listen_to_signals()
        for _ in range(count):
            self._start()
        try:
            while not self._stopped:
                self._step(count, ready)
        finally:
            self._stop()

    def _listen_to_signals(self) -> None:
        os.set_blocking(self._waking, False)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True

    def _step(self, count: int, ready: Callable[[], None]) -> None:
        watched = [self._woken, *self._starting, *(() if self._until is None else (self._until,))]
        found, _, _ = select.select(watched, [], [])
        if self._woken in found:
            os.read(self._woken, 4096)
        if self._until in found and not os.read(self._until or 0, 4096):
            self._stopped = True
            return
        for descriptor in self._starting.keys() & {*found}:
            self._hear(descriptor)
            if not self._starting and len(self._pids) == count:
                ready()
        self._replace_dead()

    def _hear(self, descriptor: int) -> None:
        """A worker's first word: nothing where it is ready, else why it is not."""
        word = os.read(descriptor, _LONGEST_REASON)
        os.close(descriptor)
        pid = self._starting.pop(descriptor)
        if word != b"\n":
            raise Unusable(word.decode("utf-8", "replace") or f"the process of the model ended {_how(pid)}")

    def _replace_dead(self) -> None:
        for pid in tuple(self._pids):
            # One that is starting says by its pipe that it is gone.
            if pid in self._starting.values() or os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
            self._pids.remove(pid)
            print(
                "a process of the model ended, and another one takes its place", file=sys.stderr, flush=True
            )
            time.sleep(0.1)
            self._start()

    def _start(self) -> None:
        heard, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                code = self._work(told)
            os._exit(code)
        os.close(told)
        self._starting[heard] = pid
        self._pids.append(pid)

    def _work(self, told: int) -> int:
        os.close(self._held)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, *_STOPPING):
            signal.signal(number, signal.SIG_DFL)
        try:
            loaded = self._terms.load()
        except Unusable as error:
            _tell(told, str(error).encode())
            return 1
        sys.setswitchinterval(_SWITCH_S)
        terms = self._terms
        answers = Answers(loaded, Threads(_AT_ONCE, terms.timeout), terms.served)
        listening = Listening(answers, Clients(terms.stalled), terms.most)
        asyncio.run(listening.serve(self._listener, self._alive, lambda: _tell(told, b"\n")))
        return 0

    def _stop(self) -> None:
        os.close(self._held)
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + GRACE_S + 1
        left = self._pids
        while left and time.monotonic() < end:
            left = [pid for pid in left if not _has_ended(pid)]
            time.sleep(0.02)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _tell(descriptor: int, word: bytes) -> None:
    os.write(descriptor, word[:_LONGEST_REASON])
    os.close(descriptor)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


def _how(pid: int) -> str:
    with contextlib.suppress(ChildProcessError):
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            return f"by signal {os.WTERMSIG(status)} while it loaded it"
    return "while it loaded it"
