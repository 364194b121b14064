"""The standard streams as we may find them: closed from the start, or gone while we still speak."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from mlproj.errors import OutputError


def prepare() -> None:
    """Has all three descriptors open, and has talk fail nobody: standard error is worth no run.

    A descriptor that is closed would be the next file's, be it the store's, and whoever takes it for a
    standard stream would write there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    known = sys.stdout
    sys.stdout = _Data(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)),
        encoding="utf-8" if known is None else known.encoding,
        errors="backslashreplace" if known is None else known.errors,
        line_buffering=known is not None and bool(known.line_buffering),
    )
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    sys.stderr = _Talk(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


@contextlib.contextmanager
def enduring(stream: IO[Any]) -> Iterator[None]:
    """Where writing to the stream fails, what is still written to it goes nowhere: nobody reads it.

    Where the reader stopped reading (TimeoutError), so does the other stream, if it goes there too.
    """
    try:
        yield
    except TimeoutError:
        alike = [
            one for one in (sys.stdout, sys.stderr) if os.path.sameopenfile(one.fileno(), stream.fileno())
        ]
        for one in alike:
            _send_nowhere(one)
    except OSError:
        _send_nowhere(stream)


@contextlib.contextmanager
def delivering() -> Iterator[None]:
    """For data: a terminal that is gone counts as a reader that stopped. Raises BrokenPipeError for both, and
    OutputError where data cannot be written for another reason, such as a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EIO, errno.EPIPE):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        _send_nowhere(sys.stdout)  # what is left in its buffer, and what is still to come
        raise OutputError(
            f"standard output cannot be written: {error.strerror}", hint="have it go where there is room"
        ) from error


def _send_nowhere(stream: IO[Any]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Data(io.TextIOWrapper):
    """Standard output, which tells in one way that nobody takes what is written. See `delivering`."""

    def write(self, text: str, /) -> int:
        with delivering():
            return super().write(text)

    def flush(self) -> None:
        with delivering():
            super().flush()


class _Talk(io.TextIOWrapper):
    """Standard error, which never fails."""

    def write(self, text: str, /) -> int:
        with enduring(self):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with enduring(self):
            super().flush()
