"""On a terminal the child has one too: colours, width, bytes as written, two streams apart."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conftest import ending

RUNNER = """
import os, pathlib, sys
from mlproj.execution.local import LocalExecutor
from mlproj.ports import Task
os.open(os.ttyname(0), os.O_RDWR)  # makes it our controlling terminal, as a shell's is
here = pathlib.Path(sys.argv[1])
task = Task(argv=("bash", "-c", sys.argv[2]), directory=here, environ=dict(os.environ), logs=here)
def show(event):
    os.write(1 if event.stream == "stdout" else 2, event.data)
LocalExecutor().execute(task, show)
"""


class Terminal:
    """A terminal of 33 lines and 101 columns with a runner on it; `shown` is what came to the screen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.theirs = pty.openpty()
        self.resize(33, 101)
        self.shown = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def start(
        self, command: str, stdout: int | None = None
    ) -> AbstractContextManager[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            (sys.executable, "-c", RUNNER, str(self.folder), command),
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
            stdin=self.theirs,
            stdout=self.theirs if stdout is None else stdout,
            stderr=self.theirs,
        )
        return ending(process)

    def read(self, process: subprocess.Popen[bytes], *until: bytes) -> None:
        """Reads until all of `until` is shown, or else to the runner's end."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            ready = select.select([self.ours], [], [], 0.05)[0]
            if ready:
                self.shown += os.read(self.ours, 65536)
            elif process.poll() is not None:
                return
            if until and all(text in self.shown for text in until):
                return
        pytest.fail(f"the runner did not come to an end: {self.shown!r}")

    def run(self, command: str, stdout: int | None = None) -> None:
        with self.start(command, stdout) as process:
            self.read(process)

    def log(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    os.close(opened.ours)
    os.close(opened.theirs)


def test_colours_are_kept_on_a_terminal(terminal: Terminal) -> None:
    terminal.run("touch a; ls --color=auto -d /tmp; test -t 1 && test -t 2 && echo both")
    assert b"\x1b[" in terminal.log("stdout") and b"both\n" in terminal.log("stdout")
    assert b"\x1b[" in terminal.shown


def test_the_record_has_the_bytes_as_written_and_the_screen_whole_lines(terminal: Terminal) -> None:
    terminal.run(r"printf 'one\ntwo\r 50%%\rthree'; printf 'wrong\n' >&2")
    assert terminal.log("stdout") == b"one\ntwo\r 50%\rthree"
    assert terminal.log("stderr") == b"wrong\n"
    assert b"one\r\n" in terminal.shown


def test_the_child_sees_the_size_of_the_terminal(terminal: Terminal) -> None:
    terminal.run("stty size <&2")
    assert terminal.log("stdout") == b"33 101\n"


def test_the_child_is_told_of_a_new_size(terminal: Terminal) -> None:
    command = "trap 'stty size <&2; exit' WINCH; echo ready; while true; do sleep 0.05; done"
    with terminal.start(command) as process:
        terminal.read(process, b"ready")
        terminal.resize(44, 55)
        terminal.read(process)
    assert terminal.log("stdout") == b"ready\n44 55\n"


def test_a_stream_that_is_no_terminal_stays_a_pipe(terminal: Terminal, tmp_path: Path) -> None:
    with (tmp_path / "screen").open("wb") as file:
        terminal.run("test -t 1 || echo pipe; test -t 2 && echo terminal >&2", stdout=file.fileno())
    assert (tmp_path / "screen").read_bytes() == terminal.log("stdout") == b"pipe\n"
    assert terminal.log("stderr") == b"terminal\n"


def test_much_output_through_a_terminal_arrives_whole(terminal: Terminal) -> None:
    terminal.run("seq 20000")
    assert terminal.log("stdout") == b"".join(b"%d\n" % number for number in range(1, 20001))


def test_ctrl_c_on_the_terminal_ends_the_run(terminal: Terminal) -> None:
    with terminal.start("sleep 60 & echo ready; exec sleep 60") as process:
        terminal.read(process, b"ready")
        os.write(terminal.ours, b"\x03")
        terminal.read(process)
    assert terminal.log("stdout") == b"ready\n"


def test_modes_that_a_stopped_child_left_are_put_back(terminal: Terminal) -> None:
    before = termios.tcgetattr(terminal.theirs)
    terminal.run("stty -echo; kill -9 $$")
    assert termios.tcgetattr(terminal.theirs) == before


def test_a_progress_bar_and_a_prompt_are_shown_while_they_are_young(terminal: Terminal) -> None:
    bar = r"for i in 1 2 3; do printf '\r%3d%%' $i >&2; done; printf 'name? '"
    with terminal.start(f"{bar}; read answer; printf 'hello %s' \"$answer\"") as process:
        # Each stream comes through a terminal of its own, and of two the kernel keeps no order.
        terminal.read(process, b"name? ", b"\r  3%")
        assert process.poll() is None
        os.write(terminal.ours, b"Ada\n")
        terminal.read(process)
    assert terminal.log("stdout") == b"name? hello Ada"
    assert terminal.log("stderr") == b"\r  1%\r  2%\r  3%"
