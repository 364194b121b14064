"""How mlproj speaks, and what becomes of a run whose terminal or reader goes away."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import mlproj
from mlproj.cli.progress import LABELS
from mlproj.cli.terminal import PlainReport
from mlproj.model.events import Note, Started, silent
from tests.cli.conftest import COMMAND, LOCAL, Mlproj, single, written
from tests.conftest import ProjectMaker

PATIENCE = 60.0

CODE = "".join(path.read_text() for path in Path(mlproj.__file__).parent.rglob("*.py"))


def test_there_is_a_word_for_every_stage_and_no_word_without_one() -> None:
    begun = set(re.findall(r"Started\(stage=\"(\w+)\"", CODE))
    told = begun | set(re.findall(r"Progress\(stage=\"(\w+)\"", CODE))
    assert begun >= {"clone", "resolve", "install"}
    # While the entry point runs, its own output is what is seen.
    assert set(LABELS) == told - {"run"}


def test_where_nobody_looks_only_what_takes_long_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    report = PlainReport(silent)
    report(Started(stage="lock", detail="`python_env` in MLproject"))
    report(Started(stage="resolve", detail="the environment for Python 3.11.7"))
    report(Note(message="the index is slow"))
    assert capsys.readouterr() == (
        "",
        "resolving the environment for Python 3.11.7\nnote: the index is slow\n",
    )


class Terminal:
    """A terminal with a shell command on it, which is taken away with `hang_up`.

    It is the controlling terminal of the shell, as every terminal that a person has is of one. `shown` is
    what came to it.
    """

    def __init__(self, command: str, cwd: Path) -> None:
        self.master, terminal = pty.openpty()
        self.shown = b""
        self.shell = subprocess.Popen(
            ("bash", "-c", command),
            cwd=cwd,
            env={**os.environ, "MLPROJ_STORE": str(cwd.parent / "store"), "TERM": "xterm"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal)

    def wait_for(self, text: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += os.read(self.master, 65536)
        assert text in self.shown

    def hang_up(self) -> None:
        """Takes the terminal away, and waits for the shell."""
        os.close(self.master)
        self.shell.wait(PATIENCE)


RUN = shlex.join((*COMMAND, "run", ".", *LOCAL))
SLOW = single("'for i in 1 2 3 4 5 6; do echo out $i; echo err $i >&2; sleep 0.2; done'")


def test_a_run_whose_terminal_goes_is_stopped_and_closed(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    terminal = Terminal(f"exec {RUN}", make_project({"MLproject": SLOW}))
    terminal.wait_for(b"err 1")
    terminal.hang_up()
    assert terminal.shell.returncode == 128 + signal.SIGHUP
    run = mlproj("show", "--json").document
    assert (run["status"], run["reason"]) == ("KILLED", "interrupted by SIGHUP")
    assert run["record"] is not None and mlproj("verify").code == 0


@pytest.mark.parametrize("before", ["nohup", "setsid"])
@pytest.mark.parametrize("shown", [b"begun", b"err 1"])
def test_a_run_that_does_not_mind_its_terminal_going_comes_to_its_end(
    make_project: ProjectMaker, mlproj: Mlproj, before: str, shown: bytes
) -> None:
    project = make_project({"MLproject": SLOW})
    # nohup itself would send the output to a file.
    begin = "trap '' HUP;" if before == "nohup" else "setsid --wait"
    terminal = Terminal(f"{begin} bash -c 'echo begun; {RUN}; echo $? > ended'", project)
    terminal.wait_for(shown)
    terminal.hang_up()
    assert written(project / "ended") == "0\n"
    run = mlproj("show", "--json").document
    assert run["status"] == "FINISHED" and run["record"] is not None
    lines = [f"out {number}" for number in range(1, 7)]
    assert mlproj("logs", "--stream", "stdout").stdout.splitlines() == lines


def test_a_document_for_a_terminal_that_went_is_no_bug(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": SLOW})
    terminal = Terminal(f"setsid --wait bash -c 'echo begun; {RUN} --json; echo $? > ended'", project)
    terminal.wait_for(b"begun")
    terminal.hang_up()
    assert written(project / "ended") == "141\n"
    assert mlproj("show", "--json").document["status"] == "FINISHED"


PAINTING = """\
import time
from mlproj.cli.streams import prepare
from mlproj.cli.terminal import reporting, say
from mlproj.model.events import Ended, Note, Progress, Started
prepare()
with reporting() as report:
    report(Started(stage="install", detail="numpy"))
    for done in range(20):
        report(Progress(stage="install", done=done, total=20, unit="packages"))
        time.sleep(0.05)
    report(Note(message="the index is slow"))
    report(Ended(stage="install"))
say("installed")
"""


def test_progress_goes_on_when_its_terminal_goes(tmp_path: Path) -> None:
    (tmp_path / "painting.py").write_text(PAINTING)
    terminal = Terminal(f"setsid --wait bash -c '{sys.executable} painting.py; echo $? > ended'", tmp_path)
    terminal.wait_for(b"installing")
    terminal.hang_up()
    assert written(tmp_path / "ended") == "0\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start_harm_nothing(
    make_project: ProjectMaker, mlproj: Mlproj, closed: str
) -> None:
    project = make_project({"MLproject": single("'cat; echo out; echo err >&2'")})
    command = f"{shlex.join((*COMMAND, 'run', '.', *LOCAL))} {closed or '</dev/null'}"
    environ = {**os.environ, "MLPROJ_STORE": str(project.parent / "store")}
    done = subprocess.run(
        ("bash", "-c", command), cwd=project, env=environ, stdin=subprocess.DEVNULL, timeout=PATIENCE
    )
    assert done.returncode == 0
    answer = mlproj("logs")
    assert (answer.stdout, answer.stderr) == ("out\n", "err\n")
    assert mlproj("verify").code == 0


def test_a_reader_that_stops_reading_does_not_end_the_run(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("'seq 200000; echo end >&2'")})
    command = f"{shlex.join((*COMMAND, 'run', '.', *LOCAL))} | head -1; exit ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "MLPROJ_STORE": str(project.parent / "store")}
    done = subprocess.run(
        ("bash", "-c", command), cwd=project, env=environ, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.startswith("end\nrun `") and "Traceback" not in done.stderr
    assert mlproj("show", "--json").document["status"] == "FINISHED"
    logged = mlproj("logs", "--stream", "stdout").stdout
    assert logged == "".join(f"{number}\n" for number in range(1, 200001))


def test_a_reader_of_a_log_that_stops_reading_ends_it_quietly(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make_project({"MLproject": single("seq 200000")})
    mlproj("run", ".", *LOCAL, cwd=project)
    command = f"{shlex.join((*COMMAND, 'logs'))} | head -1; exit ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "MLPROJ_STORE": str(project.parent / "store")}
    done = subprocess.run(
        ("bash", "-c", command), cwd=project, env=environ, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (141, "1\n", "")
