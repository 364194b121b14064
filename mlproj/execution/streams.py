"""The child's two output streams: opened for it, read as it writes, recorded and reported."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import msgspec

from mlproj.errors import StoreError
from mlproj.files import write_all
from mlproj.model.events import ChildOutput, Report
from mlproj.model.run import LOGS

PIECE = 256 * 1024
"""Bytes read at once, at most: the size that our pipes have."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One stream: `ours` is read from, `theirs` is given to the child; `shown_on` is our own terminal."""

    name: str
    ours: int
    theirs: FileIO
    shown_on: int | None = None


@contextlib.contextmanager
def opened(name: str, *, shown_on: int | None) -> Iterator[Channel]:
    """A pipe for the stream, or a pseudo-terminal where it is shown on one."""
    if shown_on is None:
        ours, theirs = os.pipe()
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, PIECE)
    else:
        ours, theirs = os.openpty()
        _as_written(theirs)
    channel = Channel(name=name, ours=ours, theirs=FileIO(theirs, "wb"), shown_on=shown_on)
    follow_window(channel)
    try:
        yield channel
    finally:
        os.close(ours)
        channel.theirs.close()


def follow_window(channel: Channel) -> None:
    """Gives the pseudo-terminal the size of the terminal that it is shown on."""
    if channel.shown_on is not None:
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(channel.shown_on, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(channel.ours, termios.TIOCSWINSZ, size)


@contextlib.contextmanager
def modes_kept(descriptor: int) -> Iterator[None]:
    """Puts a terminal's modes back at the end: a child that asked for a password may have been stopped."""
    try:
        modes = termios.tcgetattr(descriptor)
    except (OSError, termios.error):
        yield
        return
    try:
        yield
    finally:
        # From the background this would stop us, and the terminal is not ours to set.
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(descriptor) == os.getpgrp():
                termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)


def read(channel: Channel) -> bytes:
    """What the child wrote, empty at the stream's end."""
    try:
        return os.read(channel.ours, PIECE)
    except OSError:  # a pseudo-terminal whose other side is closed
        return b""


class Recorder:
    """Appends each piece to the logs and reports it. Use as a context manager.

    Raises StoreError where the logs cannot be written.
    """

    def __init__(self, logs: Path, report: Report) -> None:
        self.report = report
        self._logs = logs
        self._times: list[str] = []
        self._stack = contextlib.ExitStack()
        self._files: dict[str, FileIO] = {}

    def __enter__(self) -> Recorder:
        with self._translated():
            for name in LOGS:
                file = open(self._logs / name, "ab", buffering=0)
                self._files[name] = self._stack.enter_context(file)
        return self

    def __exit__(self, *_exception: object) -> None:
        with self._stack:
            self.flush()

    def add(self, stream: str, data: bytes, seconds: float) -> None:
        """Records a piece that was read `seconds` after the start, then tells of it."""
        with self._translated():
            write_all(self._files[stream].fileno(), data)
        self._times.append(f"{seconds:.6f} {stream} {len(data)}\n")
        if len(self._times) >= 1000:
            self.flush()
        self.report(ChildOutput(stream=stream, data=data))

    def flush(self) -> None:
        """Writes the times that are still held back."""
        if self._times:
            lines, self._times = "".join(self._times), []
            with self._translated():
                write_all(self._files["times"].fileno(), lines.encode())

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"the logs in `{self._logs}` cannot be written: {error.strerror}") from error


def _as_written(terminal: int) -> None:
    """Turns output processing off, so that a newline is recorded as the child wrote it."""
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
