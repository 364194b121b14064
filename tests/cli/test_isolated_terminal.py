"""An isolated script has no hold on the terminal that it was called from."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from pathlib import Path

from tests.cli.conftest import COMMAND, single
from tests.cli.test_isolation import ISOLATED, bubblewrap
from tests.conftest import ProjectMaker, need

__all__ = ["bubblewrap"]


TYPING = """\
import fcntl, os, sys, termios

again = os.open("/proc/self/fd/0", os.O_RDWR)
for descriptor in (0, again):
    try:
        fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
    except OSError:
        pass
    try:
        fcntl.ioctl(descriptor, termios.TIOCSTI, b"x")
        print("done")
    except OSError as error:
        print("refused")
"""


def typed(command: tuple[str, ...], cwd: Path, **variables: str) -> bytes:
    """What the command has put into the input of the terminal that it was called in by a shell."""
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    try:
        subprocess.run(
            ("setsid", "--ctty", "--wait", "bash", "-c", '"$@" > said; exit $?', "bash", *command),
            cwd=cwd,
            env={**os.environ, **variables},
            stdin=theirs,
            timeout=60,
            check=True,
        )
        os.set_blocking(theirs, False)
        return os.read(theirs, 100)
    except BlockingIOError:
        return b""
    finally:
        os.close(ours)
        os.close(theirs)


def test_nothing_is_typed_into_the_callers_terminal(make_project: ProjectMaker, tmp_path: Path) -> None:
    """Whoever puts characters into the input of the terminal that mlproj was called in commands its shell."""
    project = make_project({"MLproject": single("python3 type.py"), "type.py": TYPING})
    need("TIOCSTI", typed(("python3", "type.py"), project) == b"xx")
    command = (*COMMAND, "run", ".", *ISOLATED)
    assert typed(command, project, MLPROJ_STORE=str(tmp_path / "store")) == b""
    assert (project / "said").read_text() == "refused\nrefused\n"
