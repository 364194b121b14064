"""How mlproj speaks: data on stdout, talk on stderr, colour and progress only where a person looks."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mlproj.cli.controls import printable
from mlproj.cli.streams import enduring
from mlproj.model.events import ChildOutput, Event, Note, Report, Started

SAID_IN_PLAIN = {
    "clone": "cloning",
    "download": "downloading",
    "resolve": "resolving",
    "install": "installing",
    "pull": "pulling the image",
    "load": "loading the image",
    "image": "building the image",
}
"""What may take minutes, in the word that a person is told."""


def is_terminal(stream: object) -> bool:
    """Whether a person looks at `stream`, and did not ask for plain text (NO_COLOR, TERM=dumb)."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def say(message: str) -> None:
    """A line of talk, after all data that was printed before it."""
    with enduring(sys.stdout):
        sys.stdout.flush()
    sys.stderr.write(printable(message) + "\n")
    sys.stderr.flush()


@contextmanager
def reporting(*, child_to_stderr: bool = False) -> Iterator[Report]:
    """A Report that shows events: as moving progress on a terminal, as plain lines elsewhere.

    `child_to_stderr` keeps stdout free for a document.
    """
    writer = ChildWriter(child_to_stderr)
    if is_terminal(sys.stderr):
        progress = importlib.import_module("mlproj.cli.progress")  # Rich, only where it is seen
        with progress.live(writer) as report:
            yield report
    else:
        yield PlainReport(writer)
    writer.end_line()


class PlainReport:
    """Says what takes time, once, and passes the child's output on as it comes."""

    def __init__(self, write_child: Callable[[ChildOutput], None]) -> None:
        self._write = write_child

    def __call__(self, event: Event) -> None:
        if isinstance(event, ChildOutput):
            self._write(event)
        elif isinstance(event, Note):
            say(f"note: {event.message}")
        elif isinstance(event, Started) and event.stage in SAID_IN_PLAIN:
            say(f"{SAID_IN_PLAIN[event.stage]} {event.detail}".rstrip())


class ChildWriter:
    """Writes the child's bytes to our own streams, whole and at once.

    A terminal or reader that has gone away does not end the run: what it wrote is in the record.
    """

    def __init__(self, child_to_stderr: bool) -> None:
        self._streams: dict[str, BinaryIO] = {
            "stdout": (sys.stderr if child_to_stderr else sys.stdout).buffer,
            "stderr": sys.stderr.buffer,
        }
        self._open_line = False

    def __call__(self, event: ChildOutput) -> None:
        stream = self._streams[event.stream]
        self._open_line = not event.data.endswith(b"\n")
        with enduring(stream):
            stream.write(event.data)
            stream.flush()

    def end_line(self) -> None:
        """Ends a line that the child left open, where our talk would be glued to it."""
        if self._open_line and os.path.sameopenfile(1, 2):
            say("")
        self._open_line = False
