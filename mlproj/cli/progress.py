"""Moving progress for people who look: a spinner for what is under way, a bar where its length is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from mlproj.cli.controls import printable
from mlproj.cli.terminal import SAID_IN_PLAIN
from mlproj.model.events import ChildOutput, Ended, Event, Note, Report, Started, ToolOutput
from mlproj.model.events import Progress as Advanced

LABELS = {
    "fetch": "fetching",
    "checkout": "checking out",
    "unpack": "unpacking",
    "hash": "hashing",
    "lock": "looking up the lock",
    "build": "looking at the environment",
    "create": "creating the environment",
    "collect": "collecting outputs",
    "trace": "looking at what was read",
    "read": "reading back",
    "sync": "reading back",
    "seal": "sealing",
    "serve": "serving",
    "verify": "verifying",
    "export": "writing the bundle",
    "import": "bringing in",
    "pass": "passing on",
    "send": "sending",
    "save": "saving the image",
    "packages": "bringing packages",
    "copy": "copying the store",
    "look": "looking",
    "remove": "removing",
    **SAID_IN_PLAIN,
}


@contextmanager
def live(write_child: Callable[[ChildOutput], None]) -> Iterator[Report]:
    """A Report that paints on stderr while nothing else is written there."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("[dim]{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    painter = _Painter(progress, console, write_child)
    try:
        yield painter
    finally:
        painter.stop()


class _Painter:
    """Keeps one line per open stage; makes room for the child's output, which is never painted over."""

    def __init__(
        self, progress: Progress, console: Console, write_child: Callable[[ChildOutput], None]
    ) -> None:
        self._progress = progress
        self._console = console
        self._write_child = write_child
        self._tasks: dict[str, TaskID] = {}
        self._live = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, ChildOutput):
            self.stop()
            self._write_child(event)
        elif isinstance(event, Note):
            self._console.print(f"[yellow]note:[/] {_escaped(event.message)}", highlight=False)
        elif isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Ended):
            self._ended(event.stage)
        elif isinstance(event, Advanced):
            self._advanced(event)
        elif isinstance(event, ToolOutput):
            self._tool(event)

    def stop(self) -> None:
        if self._live:
            self._progress.stop()
            self._live = False
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()

    def _started(self, event: Started) -> None:
        if event.stage == "run":
            self.stop()
            return
        if not self._live:
            self._progress.start()
            self._live = True
        self._ended(event.stage)
        description = _escaped(LABELS.get(event.stage, event.stage))
        self._tasks[event.stage] = self._progress.add_task(
            description, total=None, note=_escaped(event.detail)
        )

    def _ended(self, stage: str) -> None:
        task = self._tasks.pop(stage, None)
        if task is not None:
            self._progress.remove_task(task)

    def _advanced(self, event: Advanced) -> None:
        if event.stage not in self._tasks:
            self._started(Started(stage=event.stage))
        task = self._tasks.get(event.stage)
        if task is not None:
            self._progress.update(task, completed=event.done, total=event.total)
            if event.total is None:  # no bar tells that it goes on
                self._progress.update(task, note=f"{event.done:,} {event.unit}")

    def _tool(self, event: ToolOutput) -> None:
        task = self._tasks.get(event.stage)
        if task is not None:
            self._progress.update(task, note=_escaped(event.line[:60]))


def _escaped(text: str) -> str:
    return printable(text).replace("[", "\\[")
