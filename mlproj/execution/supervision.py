"""The one loop that watches over a running child: its streams, its end, signals, time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from mlproj.execution import signals, streams
from mlproj.execution.intake import Intake
from mlproj.execution.ladder import Ladder
from mlproj.execution.looks import Looks
from mlproj.execution.processes import Family, Process, send
from mlproj.execution.recording import Recorder
from mlproj.execution.streams import Channel
from mlproj.model.events import Note
from mlproj.model.run import Usage
from mlproj.process import STOPPING

ENDING = 0.03
"""How often, in seconds, it is looked whether what is to end has ended."""
LONGEST_WAIT = 0.25
"""The same for the child itself, where the system does not tell of its end."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds: between two steps of the ladder, for what is left after the child's end, in all."""

    patience: float
    grace: float
    timeout: float | None


class Supervision:
    """A child from its start to the end of its whole process group. `begun` is on the monotonic clock.

    `run_id` is what its descendants have in their variables as MLPROJ_RUN_ID, if they have. A child that
    `is_shell` to the run holds all of it: it ends with the last of them, and is not to be asked to.
    """

    def __init__(
        self,
        pid: int,
        begun: float,
        recorder: Recorder,
        limits: Limits,
        *,
        run_id: str | None = None,
        is_shell: bool = False,
    ) -> None:
        self.exit_code: int | None = None
        self.timed_out = False
        self.interrupted: int | None = None
        self.ended: float | None = None
        self._pid = pid
        self._begun = begun
        self._recorder = recorder
        self._limits = limits
        self._family = Family(pid, run_id)
        self._looks = Looks(self._family, begun, time.monotonic)
        self._ladder = Ladder(limits.patience)
        self._selector = selectors.DefaultSelector()
        self._intake = Intake(self._selector, self._take, time.monotonic)
        self._stopping = False
        self._is_shell = is_shell
        self._recording = True
        self._usage: resource.struct_rusage | None = None
        self._watched = False

    def watch(self, channels: Sequence[Channel], wakeups: int | None) -> None:
        """Runs the loop to the end of everything. An exception in it (in a report) ends the child first."""
        try:
            self._register(channels, wakeups)
            self._loop()
        except BaseException:
            self._recording = False
            self._stop(signal.SIGTERM)
            self._loop()
            raise
        finally:
            self._selector.close()

    def usage(self) -> Usage:
        """What the whole tree used up, once it has ended."""
        assert self._usage is not None and self.ended is not None
        waited_for = self._usage.ru_utime + self._usage.ru_stime
        return Usage(
            wall_s=round(self.ended - self._begun, 6),
            cpu_s=round(max(waited_for, self._family.cpu_s), 6),
            peak_rss_bytes=self._family.peak(self._usage),
        )

    def _register(self, channels: Sequence[Channel], wakeups: int | None) -> None:
        for channel in channels:
            self._intake.add(channel)
        if wakeups is not None:
            heard = partial(self._hear, wakeups, channels)
            self._selector.register(wakeups, selectors.EVENT_READ, heard)
        with contextlib.suppress(AttributeError, OSError):  # only Linux can tell of an end in this way
            descriptor = os.pidfd_open(self._pid)
            self._selector.register(descriptor, selectors.EVENT_READ, partial(self._bury, descriptor))
            self._watched = True

    def _loop(self) -> None:
        now = time.monotonic()
        while not self._over(now):
            for key, _ in self._selector.select(self._until_next(now)):
                handle: Callable[[], None] = key.data
                handle()
            now = time.monotonic()
            if self._intake.due is not None and now >= self._intake.due:
                self._intake.resume()
            if not self._watched and self.ended is None:
                self._reap()
            self._check_timeout(now)
            if self._looks.take(now, ended=self.ended is not None) and self._recording:
                self._recorder.flush()
            self._climb(now)

    def _until_next(self, now: float) -> float:
        """Seconds to sleep at most, when nothing happens."""
        times = [self._looks.due]
        if self._intake.due is not None:
            times.append(self._intake.due)
        if self._ladder.due is not None:
            times.append(self._ladder.due)
        if self._limits.timeout is not None and self.ended is None and not self._ladder.begun:
            times.append(self._begun + self._limits.timeout)
        if self.ended is not None or self._ladder.begun:
            times.append(now + ENDING)
        elif not self._watched:
            times.append(now + min(LONGEST_WAIT, max(0.001, (now - self._begun) / 20)))
        return max(0.0, min(times) - now)

    def _take(self, stream: str, data: bytes, now: float) -> None:
        if self._recording:
            self._looks.glance()
            self._recorder.add(stream, data, now - self._begun)

    def _hear(self, wakeups: int, channels: Sequence[Channel]) -> None:
        for number in signals.read(wakeups):
            if number == signal.SIGWINCH:
                for channel in channels:
                    streams.follow_window(channel)
                if self.ended is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._pid, signal.SIGWINCH)
            elif number in STOPPING:
                self.interrupted = self.interrupted or number
                self._stopping = True
                self._ladder.hasten(time.monotonic())

    def _bury(self, descriptor: int) -> None:
        if self._reap():
            self._selector.unregister(descriptor)
            os.close(descriptor)

    def _reap(self) -> bool:
        pid, status, usage = os.wait4(self._pid, os.WNOHANG)
        if pid == 0:
            return False
        self.ended = time.monotonic()
        self._intake.resume()
        self.exit_code = os.waitstatus_to_exitcode(status)
        self._usage = usage
        return True

    def _check_timeout(self, now: float) -> None:
        timeout = self._limits.timeout
        if timeout is None or self.ended is not None or self._ladder.begun or now - self._begun < timeout:
            return
        self.timed_out = True
        self._stop(signal.SIGINT)

    def _stop(self, first: signal.Signals) -> None:
        """Has everything ended that belongs to the run, whether in its session or not."""
        self._stopping = True
        self._ladder.begin(time.monotonic(), first)

    def _climb(self, now: float) -> None:
        if self.ended is not None and now - self.ended >= self._limits.grace:
            # A shell has its background jobs ignore interrupts, so there is nothing to wait for.
            self._ladder.stop_asking(now)
        number = self._ladder.step(now)
        if number is None:
            return
        asked = self._remaining()
        if self._is_shell and number != signal.SIGKILL:
            asked = tuple(one for one in asked if one.pid != self._pid)
        send(asked, number)
        if number == signal.SIGTERM:
            send(self._remaining(), signal.SIGCONT)

    def _remaining(self) -> tuple[Process, ...]:
        """Who is to end: all of the run's when it is stopped, else those in its session.

        What a run that ended by itself left in sessions of their own is a daemon that it meant to leave.
        """
        members = self._family.look()
        return members if self._stopping else tuple(one for one in members if one.session == self._pid)

    def _over(self, now: float) -> bool:
        """Whether the child and what it left behind have ended, and their output is read."""
        if self.ended is None:
            return False
        waited = now - self.ended >= self._limits.grace
        if self._intake.is_open and not waited:
            return False
        left = self._remaining() if self._stopping or self._family.has_session() else ()
        if not left:
            # Also where the last one took a session of its own between the two looks.
            if not self._stopping:
                self._tell_of_daemons()
            return True
        if self._ladder.exhausted(now):
            self._tell(f"{_count(left)} of the run could not be ended")
            return True
        if waited and not self._ladder.begun and self._ladder.due is None:
            self._tell(f"ended {_count(left)} that the entry point left behind")
            self._ladder.begin(now, signal.SIGTERM)
        return False

    def _tell_of_daemons(self) -> None:
        daemons = self._family.orphans()
        if daemons:
            pids = ", ".join(map(str, sorted(daemons)))
            self._tell(f"left {_count(daemons)} that the entry point gave a session of its own: {pids}")

    def _tell(self, message: str) -> None:
        if self._recording:
            self._recorder.report(Note(message=message))


def _count(processes: Sequence[object]) -> str:
    return "1 process" if len(processes) == 1 else f"{len(processes)} processes"
