"""Has rattler do something, in a program of its own, and reports how it goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from typing import IO

import msgspec

from mlproj.environments.conda.orders import Answer, Order
from mlproj.environments.uv import last_lines
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import Lock
from mlproj.model.events import Ended, Note, Progress, Report
from mlproj.process import stop

_LAUNCH = (
    "import sys; sys.path[:] = filter(None, sys.path);"
    " from mlproj.environments.conda.worker import main; main()"
)

_MOST_WORDS = 65536


class Rattler:
    """The program, started when it is first asked: what was solved is mostly linked next, by the same one."""

    def __init__(self) -> None:
        self._program: _Program | None = None

    def locked(self, order: Order, report: Report) -> Lock:
        """The lock that the order asks for. Raises EnvironmentFailed."""
        lock = self.carry_out(order, report).lock
        assert lock is not None
        return lock

    def carry_out(self, order: Order, report: Report) -> Answer:
        """What came of the order. Raises EnvironmentFailed where it failed or rattler broke down."""
        try:
            answer = self._asked(order, report)
        except BaseException:
            # It would go on writing into a folder that is somebody else's then.
            self.close()
            raise
        for note in answer.notes:
            report(Note(message=note))
        if answer.failure is not None:
            failure = answer.failure
            raise EnvironmentFailed(failure.message, hint=failure.hint, output=last_lines(failure.output))
        return answer

    def close(self) -> None:
        """Ends the program."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def _asked(self, order: Order, report: Report) -> Answer:
        used = self._program
        if used is not None:
            answer = used.ask(order, report)
            if answer is not None:
                return answer
            self.close()
        self._program = _Program()
        answer = self._program.ask(order, report)
        if answer is None:
            code, words = self._program.end() or (None, "")
            raise EnvironmentFailed(f"rattler broke down (exit code {code})", output=last_lines(words))
        return answer


class _Program:
    """A process that carries out one order after the other, and ends with us."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as words:
            # Orders may hold credentials, and so come by its standard input.
            self._process = subprocess.Popen(
                (sys.executable, "-c", _LAUNCH, str(os.getpid())),
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
            )
            self.end = weakref.finalize(self, _end, self._process, os.dup(words.fileno()))

    def ask(self, order: Order, report: Report) -> Answer | None:
        """Its answer; None where it ended without one."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
        downloads = False
        for said in _messages(self._process.stdout):
            if isinstance(said, Answer):
                if downloads:
                    report(Ended(stage="download"))
                return said
            downloads |= said.stage == "download"
            report(said)
        return None


def _messages(stream: IO[bytes]) -> Iterator[Answer | Progress]:
    for line in stream:
        with contextlib.suppress(msgspec.MsgspecError):
            yield msgspec.json.decode(line, type=Progress)
            continue
        with contextlib.suppress(msgspec.MsgspecError):
            yield msgspec.json.decode(line, type=Answer)


def _end(process: subprocess.Popen[bytes], words: int) -> tuple[int, str]:
    """Its exit code, and the beginning of what it said on standard error, which is the file `words`."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.2)
    stop(process)
    try:
        return process.returncode, os.pread(words, _MOST_WORDS, 0).decode(errors="replace")
    finally:
        os.close(words)
