"""The child's two output streams: opened for it, and read as it writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from io import FileIO

import msgspec

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
    os.set_blocking(ours, False)
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


def read(channel: Channel) -> bytes | None:
    """What the child wrote, empty at the stream's end, None where there is nothing yet."""
    try:
        return os.read(channel.ours, PIECE)
    except BlockingIOError:
        return None
    except OSError:  # a pseudo-terminal whose other side is closed
        return b""


def _as_written(terminal: int) -> None:
    """Turns output processing off, so that a newline is recorded as the child wrote it."""
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
