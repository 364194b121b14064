"""Programs beside us that read files on the other cores.

Threads do not serve: small files take a system call every few microseconds, and handing the interpreter's
lock to and fro costs more than the other core saves.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence

from mlproj.provenance import reading
from mlproj.provenance.reading import Result

MOST = 8
"""More cores than this read no faster: one process has to find the files."""

Request = tuple[bytes, Sequence[bytes], Sequence[bytes], bool]
"""Folder, names, fingerprints, and whether links are followed."""


class ReaderGone(Exception):
    """The program ended without an answer: what it was asked has to be asked elsewhere."""


class Reader:
    """One program, which is asked one thing at a time. Raises ReaderGone wherever it is not there."""

    def __init__(self) -> None:
        # -I -S: it needs nothing of ours, and starts in a third of the time
        command = (sys.executable or "", "-I", "-S", reading.__file__)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except (OSError, ValueError) as error:
            raise ReaderGone from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to = self._process.stdin.fileno()
        self._from = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._from, select.POLLIN)

    def ask(self, requests: Sequence[Request]) -> None:
        try:
            reading.send(self._to, requests)
        except OSError as error:
            raise ReaderGone from error

    def answer(self, tell: Callable[[int], None], *, wait: bool) -> list[list[Result]] | None:
        """What it was asked; None where that is not there yet, unless we are to `wait`."""
        while wait or self._poll.poll(0):
            try:
                said = reading.receive(self._from)
            except (OSError, ValueError, EOFError) as error:
                raise ReaderGone from error
            if said is None:
                raise ReaderGone
            if isinstance(said, list):
                return said
            tell(said)
        return None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        with self._process:  # closes the pipes, and waits
            pass


def others() -> int:
    """How many cores there are for us beside the one we run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST) - 1
