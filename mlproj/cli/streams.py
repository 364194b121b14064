"""The standard streams as we may find them: closed from the start, or gone while we still speak."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any


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
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    sys.stderr = _Talk(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


@contextlib.contextmanager
def enduring(stream: IO[Any]) -> Iterator[None]:
    """Where writing to the stream fails, what is still written to it goes nowhere: nobody reads it."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def delivering() -> Iterator[None]:
    """For data: a terminal that is gone counts as a reader that stopped. Raises BrokenPipeError for both."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EIO:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
        raise


class _Talk(io.TextIOWrapper):
    """Standard error, which never fails."""

    def write(self, text: str, /) -> int:
        with enduring(self):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with enduring(self):
            super().flush()
