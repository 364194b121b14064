"""What the library tells while it works; only the command line and the server paint it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A stage began: `fetch`, `lock`, `build`, `run`, `collect`, `read` (what a server holds), `seal`, or
    those of the commands about a store, `verify`, `look`, `remove`, `copy`, `sync`, `export`, `import` and
    `pass` (on to another store); or, within one of these, what takes its time: `clone`, `checkout`,
    `download`, `unpack`, `resolve`, `create`, `install`, `pull`, `image` (one that is built), `save` (one
    into a file) and `packages` (into files)."""

    stage: str
    detail: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stage is, in its own unit (bytes, files, packages); `total` None where nobody knows.

    `hash` has no beginning and no end: it goes on beside the others.
    """

    stage: str
    done: int
    total: int | None
    unit: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A stage ended; `detail` is what came of it."""

    stage: str
    detail: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know although nothing failed."""

    message: str


class Reused(msgspec.Struct, frozen=True, kw_only=True):
    """Which run is reused instead of a new one, and why it counts as equal; or, with no `run_id`, why none
    is, and then of the nearest, if any, what differs."""

    run_id: str | None
    because: str
    nearest: str | None = None
    differs: tuple[str, ...] = ()


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a tool (git, uv, pip) printed while it worked for us."""

    stage: str
    line: str


class ChildOutput(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that the entry point wrote, as they came; `stream` is `stdout` or `stderr`."""

    stream: str
    data: bytes


Event = Started | Progress | Ended | Note | Reused | ToolOutput | ChildOutput
Report = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A report that shows nothing."""
