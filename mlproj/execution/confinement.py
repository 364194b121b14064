"""Turns a task into one that bubblewrap carries out in namespaces of its own, where it sees what it may."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import EnvironmentFailed
from mlproj.execution.sandbox import arguments
from mlproj.files import write_all
from mlproj.model.environment import CONFINER, Confinement
from mlproj.ports import Task

_FOLDER = Path(__file__).parent
_OUTSIDE = "MLPROJ_RUN_ID"
"""The one variable that bubblewrap has itself: whose run it is."""
_BEGUN, _ENDED = b"b", b"e"
_UNTOLD = (130, 141)
"""Of a command that SIGINT or SIGPIPE ended, the shell in there does not tell anything but this code."""


class Confined:
    """A task as our system is asked for it. `task` has what it inherits from us among its descriptors."""

    def __init__(self, task: Task, status: int) -> None:
        self.task = task
        self._status = status

    def exit_code(self, code: int, logs: Path) -> int:
        """The command's own, given the code that bubblewrap ended with. Raises EnvironmentFailed where the
        command was not even begun."""
        told = b""
        with contextlib.suppress(BlockingIOError):
            told = os.read(self._status, 16)
        if _BEGUN not in told and code >= 0:
            raise EnvironmentFailed(
                f"the run could not be isolated: {_complaint(logs)}",
                hint="`mlproj doctor` says whether this machine can",
            )
        by_itself = _ENDED in told and code not in _UNTOLD
        return 128 - code if code > 128 and not by_itself else code


@contextlib.contextmanager
def confined(task: Task, *, grace: float, patience: float) -> Iterator[Confined]:
    """The task, for the length of the `with`. Raises EnvironmentFailed where there is no bubblewrap."""
    confinement = task.confinement
    assert confinement is not None
    program = shutil.which(CONFINER)
    if program is None:
        raise EnvironmentFailed(
            "a run cannot be isolated here: bubblewrap is not installed", hint="install it (`bubblewrap`)"
        )
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)
        private = Path(stack.enter_context(_private(task.logs)))
        opening = _opening(confinement)
        inner = (
            *("bash", "-c", (_FOLDER / "inner.bash").read_text(), "mlproj"),
            *(str(writing), "" if confinement.door is None else str(confinement.door.descriptor)),
            *(str(len(opening)), str(round(grace * 100)), str(round(patience * 100))),
            *(*opening, *task.argv),
        )
        outer = arguments(confinement, task.mounts, task.directory, private)
        door = () if confinement.door is None else (confinement.door.descriptor,)
        given = _given(task.environ)
        stack.callback(os.close, given)
        yield Confined(
            replace(
                task,
                argv=(program, "--args", str(given), *outer, *inner),
                environ={name: task.environ[name] for name in (_OUTSIDE,) if name in task.environ},
                descriptors=(writing, given, *door),
            ),
            reading,
        )


def _given(environ: Mapping[str, str]) -> int:
    """A file of arguments by which bubblewrap sets the variables in there.

    It has none of them itself: packages and records may name some, by which the system's linker would load
    somebody else's code into it (LD_PRELOAD) before anything is shut in.
    """
    descriptor = os.memfd_create("variables")
    parts = (part for name, text in environ.items() for part in ("--setenv", name, text))
    write_all(descriptor, b"".join(os.fsencode(part) + b"\0" for part in parts))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _opening(confinement: Confinement) -> tuple[str, ...]:
    """The command that opens our port in there."""
    door, python = confinement.door, confinement.python
    if door is None:
        return ()
    assert python is not None, "a door is opened by a Python"
    text = (_FOLDER / "opening.py").read_text()
    return (python, "-I", "-S", "-c", text, str(door.port), str(door.descriptor))


def _complaint(logs: Path) -> str:
    lines = (logs / "stderr").read_bytes().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "bubblewrap said nothing"


def _private(logs: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="private-", dir=logs, ignore_cleanup_errors=True)
