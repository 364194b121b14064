"""The process that keeps others at work: makes them, replaces one that died, and ends all when told to.

It answers no request itself, and holds neither a thread nor a connection, so that it can be forked at any
time. The others learn of its end by a pipe that only it holds the other end of, however it comes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import msgspec

from mlproj.errors import MlprojError, StoreError
from mlproj.process import STOPPING
from mlproj.server.hosting.log import Log

_PID = struct.Struct("=q")
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0
_LOOK_S = 1.0
_BEYOND_GRACE_S = 5.0
"""Seconds that a worker gets after its grace, to let go of the store."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has of the process that made it: `end` can be read from once it is to end, and it calls
    `ready` when it takes requests."""

    number: int
    end: int
    ready: Callable[[], None]


Work = Callable[[Post], None]
"""What a worker does until it is told to end."""


class Workers:
    """So many processes that do the `work` until this one is told to end; `buried` hears of the dead."""

    def __init__(
        self,
        work: Work,
        count: int,
        listeners: Sequence[socket.socket],
        *,
        grace_s: float,
        log: Log,
        buried: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._work = work
        self._count = count
        self._listeners = listeners
        self._grace_s = grace_s
        self._log = log
        self._buried = buried
        self._at_work: dict[int, int] = {}
        self._ready: set[int] = set()
        self._asked: list[int] = []
        self._delay_s = 0.0
        self._not_before = 0.0
        self._news, self._tell = os.pipe()
        self._leash_end, self._leash = os.pipe()

    def run(self, begun: Callable[[], None]) -> None:
        """Returns when all have ended, after SIGTERM, SIGINT or SIGHUP; a second one ends them at once.

        `begun` is called when the first is ready. Raises StoreError where none ever was.
        """
        with self._hearing() as woken:
            for number in range(self._count):
                self._start(number)
            try:
                while not self._asked:
                    self._wait(woken, _LOOK_S)
                    self._hear_ready(begun)
                    self._reap()
                    self._replace()
            finally:
                self._end(woken)

    def _start(self, number: int) -> None:
        pid = os.fork()
        if pid:
            self._at_work[pid] = number
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            # Ctrl-C goes to every process of the terminal: the one that made this one hears it.
            for ignored in (signal.SIGINT, signal.SIGHUP):
                signal.signal(ignored, signal.SIG_IGN)
            for heard in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(heard, signal.SIG_DFL)
            os.close(self._leash)
            self._work(Post(number=number, end=self._leash_end, ready=self._say_ready))
            status = 0
        except MlprojError as error:
            self._log.trouble("worker cannot work", worker=number, why=error.message, hint=error.hint)
        except BaseException as error:
            self._log.bug(error)
        finally:
            # What the parent has to tidy up is not ours.
            os._exit(status)

    def _say_ready(self) -> None:
        os.write(self._tell, _PID.pack(os.getpid()))

    def _wait(self, woken: int, seconds: float) -> None:
        ready, _, _ = select.select([woken, self._news], [], [], seconds)
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)

    def _hear_ready(self, begun: Callable[[], None]) -> None:
        while select.select([self._news], [], [], 0)[0]:
            (pid,) = _PID.unpack(os.read(self._news, _PID.size))
            if not self._ready:
                begun()
            self._ready.add(pid)
            self._delay_s = 0.0

    def _reap(self) -> None:
        for pid, number in list(self._at_work.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            del self._at_work[pid]
            self._buried(pid)
            if not self._asked:
                self._log.trouble("worker died", worker=number, pid=pid, how=_how(status))
            if pid not in self._ready:
                self._back_off()

    def _back_off(self) -> None:
        """One that could not even begin is not followed by the next at once."""
        if not self._ready:
            raise StoreError(
                "no worker of the server could begin its work", hint="what it said before tells why"
            )
        self._delay_s = min(max(2 * self._delay_s, _FIRST_DELAY_S), _LONGEST_DELAY_S)
        self._not_before = time.monotonic() + self._delay_s

    def _replace(self) -> None:
        missing = {*range(self._count)} - {*self._at_work.values()}
        if missing and time.monotonic() >= self._not_before and not self._asked:
            for number in sorted(missing):
                self._start(number)
                self._log.event("worker began", worker=number)

    def _end(self, woken: int) -> None:
        """Has all end in their time, or at once where it is asked for again."""
        for listener in self._listeners:
            listener.close()
        os.close(self._leash)
        asked, end = len(self._asked), time.monotonic() + self._grace_s + _BEYOND_GRACE_S
        while self._left() and len(self._asked) <= asked and time.monotonic() < end:
            self._wait(woken, min(_LOOK_S, max(0.0, end - time.monotonic())))
        for pid in self._at_work:
            os.kill(pid, signal.SIGKILL)
        while self._left():
            time.sleep(0.01)

    def _left(self) -> bool:
        for pid in list(self._at_work):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._at_work[pid]
        return bool(self._at_work)

    @contextlib.contextmanager
    def _hearing(self) -> Iterator[int]:
        """Notes signals for the length of the `with`; the descriptor can be read from when there is one."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        # One that is ignored stays so, as `nohup` has it.
        heard = (number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)
        earlier = {number: signal.signal(number, self._hear) for number in heard}
        earlier[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            yield read
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            os.close(read)
            os.close(write)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._asked.append(number)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
