"""The one loop that watches over a container: its output, its end, signals, time and memory."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException

from mlproj.execution import signals
from mlproj.execution.cgroups import Meter
from mlproj.execution.frames import Frames
from mlproj.execution.ladder import Ladder
from mlproj.execution.recording import Recorder
from mlproj.execution.streams import PIECE
from mlproj.execution.supervision import ENDING, Limits
from mlproj.model.events import Note
from mlproj.model.run import Usage
from mlproj.process import STOPPING

_FIRST_LOOK = 0.005
_NEAR, _FAR = 0.1, 1.0
"""Seconds between two looks at what is used, at most: where that is read, and where the engine is asked."""
_LATE = 2.0
"""Seconds for output that is still on its way when the container has ended."""


class Watch:
    """A container from its start to its end. `output` is the connection to its streams."""

    def __init__(
        self, client: APIClient, container: str, output: socket.socket, recorder: Recorder, limits: Limits
    ) -> None:
        self.timed_out = False
        self.interrupted: int | None = None
        self.ended: float | None = None
        self.exit_code: int | None = None
        """As the engine has it, which says nothing of want of memory; None where it did not say."""
        self._client = client
        self._container = container
        self._output = output
        self._recorder = recorder
        self._limits = limits
        self._begun = time.monotonic()
        self._ladder = Ladder(limits.patience)
        self._selector = selectors.DefaultSelector()
        self._frames = Frames()
        self._open = True
        self._meter: Meter | None = None
        self._pause = _FIRST_LOOK
        self._due = self._begun + _FIRST_LOOK

    def run(self, wakeups: int | None) -> None:
        """Watches to the end. An exception in it (in a report) leaves the container to whoever removes it."""
        ours, theirs = socket.socketpair()
        with ours, theirs, contextlib.closing(self._selector):
            self._selector.register(self._output, selectors.EVENT_READ, self._read)
            if wakeups is not None:
                self._selector.register(wakeups, selectors.EVENT_READ, partial(self._hear, wakeups))
            self._selector.register(ours, selectors.EVENT_READ, partial(self._bury, ours))
            threading.Thread(target=self._wait, args=(theirs,), daemon=True).start()
            self._loop()

    def usage(self) -> Usage:
        """What the container used up, once it has ended, as far as it was seen."""
        assert self.ended is not None
        meter = self._meter
        return Usage(
            wall_s=round(self.ended - self._begun, 6),
            cpu_s=0.0 if meter is None else round(meter.cpu_s, 6),
            peak_rss_bytes=0 if meter is None else meter.peak_rss_bytes,
        )

    def _loop(self) -> None:
        now = time.monotonic()
        while not self._over(now):
            for key, _ in self._selector.select(self._until_next(now)):
                handle: Callable[[], None] = key.data
                handle()
            now = time.monotonic()
            self._check_timeout(now)
            self._look(now)
            self._climb(now)

    def _until_next(self, now: float) -> float:
        times = [self._due]
        if self._ladder.due is not None:
            times.append(self._ladder.due)
        if self._limits.timeout is not None and not self._ladder.begun:
            times.append(self._begun + self._limits.timeout)
        if self.ended is not None or self._ladder.begun:
            times.append(now + ENDING)
        return max(0.0, min(times) - now)

    def _read(self) -> None:
        try:
            data = self._output.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._output)
            self._open = False
        seconds = time.monotonic() - self._begun
        for stream, piece in self._frames.feed(data):
            self._recorder.add(stream, piece, seconds)

    def _hear(self, wakeups: int) -> None:
        for number in signals.read(wakeups):
            if number in STOPPING:
                self.interrupted = self.interrupted or number
                self._ladder.hasten(time.monotonic())

    def _wait(self, theirs: socket.socket) -> None:
        """Blocks until the container has ended, and says so; in a thread and on a connection of its own."""
        with contextlib.suppress(DockerException, requests.exceptions.RequestException):
            self.exit_code = self._client.wait(self._container)["StatusCode"]
        with contextlib.suppress(OSError):
            theirs.send(b"\0")

    def _bury(self, ours: socket.socket) -> None:
        self._selector.unregister(ours)
        self.ended = time.monotonic()

    def _check_timeout(self, now: float) -> None:
        timeout = self._limits.timeout
        if timeout is None or self.ended is not None or self._ladder.begun or now - self._begun < timeout:
            return
        self.timed_out = True
        self._ladder.begin(now)

    def _look(self, now: float) -> None:
        if now < self._due:
            return
        if self.ended is None:
            self._meter = self._meter or Meter(self._container, self._process, self._ask)
            self._meter.look()
            self._pause = min(self._pause * 2, _NEAR) if self._meter.is_near else _FAR
        self._due = now + self._pause
        self._recorder.flush()

    def _process(self) -> int:
        pid: int = self._client.inspect_container(self._container)["State"]["Pid"]
        return pid

    def _ask(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._client.stats(self._container, stream=False, one_shot=True)
        except (DockerException, requests.exceptions.RequestException):  # it has ended meanwhile
            return {}
        return answer

    def _climb(self, now: float) -> None:
        number = None if self.ended is not None else self._ladder.step(now)
        if number is not None:
            with contextlib.suppress(APIError):  # it has ended meanwhile
                self._client.kill(self._container, signal=number.name)

    def _over(self, now: float) -> bool:
        if self.ended is not None:
            return not self._open or now - self.ended >= _LATE
        if self._ladder.exhausted(now):
            self._recorder.report(Note(message="the container could not be ended"))
            self.ended = now
            return True
        return False


def kept_code(code: int) -> int:
    """The exit code of a container, which is 128 and a signal's number where that ended its command."""
    try:
        return -signal.Signals(code - 128) if code > 128 else code
    except ValueError:
        return code
