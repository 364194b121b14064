"""What the hook notes of the files that a Python opens: on every Python, and however the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlproj.environments import pyenv
from mlproj.provenance.tracing.notes import read_notes
from mlproj.provenance.tracing.openings import Openings
from mlproj.services.hook import FOLDER

PYTHONS = {
    "own": Path(sys.executable),
    **dict(pyenv.versions({"PYENV_ROOT": os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv")})),
}


def is_able(version: str) -> bool:
    return version == "own" or tuple(map(int, version.split(".")[:2])) >= (3, 8)


ABLE = [python for version, python in PYTHONS.items() if is_able(version)]
OTHERS = {version: python for version, python in PYTHONS.items() if not is_able(version)}


class Noting:
    """A folder for notes, and one of data that is older than the run."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.notes = folder / "notes"
        self.data.mkdir()
        for name in ("a.csv", "b.csv", "c.csv"):
            (self.data / name).write_text(name)
        time.sleep(0.02)  # the clock that files get their times from has grains
        self.notes.mkdir()
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(FOLDER),
            "MLPROJ_READS": f"{os.stat(self.notes).st_ctime_ns}:{self.notes}",
        }

    def run(
        self, code: str, *, python: Path = PYTHONS["own"], ends: int = 0, since: int | None = None
    ) -> Openings:
        if since is not None:
            self.environ["MLPROJ_READS"] = f"{since}:{self.notes}"
        done = subprocess.run(
            (python, "-c", code),
            cwd=self.data,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == ends, done.stderr
        assert done.stderr == ""
        return read_notes(self.notes)

    def named(self, paths: dict[str, None]) -> list[str]:
        """Those in the folder of data, by their names there."""
        real = (os.path.realpath(path) for path in paths)
        return sorted({os.path.relpath(path, self.data) for path in real if path.startswith(str(self.data))})


@pytest.fixture
def noting(tmp_path: Path) -> Noting:
    return Noting(tmp_path)


@pytest.mark.parametrize("python", ABLE, ids=lambda python: python.parent.parent.name)
def test_files_are_noted_in_every_way_of_opening_them(noting: Noting, python: Path) -> None:
    made = noting.run(
        "import io, os, sqlite3\n"
        "open('a.csv').close(); os.close(os.open(b'b.csv', os.O_RDONLY))\n"
        "io.open_code(os.path.abspath('c.csv')).close()\n"
        "open('a.csv', 'a').close()\n"
        "open('made', 'w').close(); open('made').close(); os.rename('made', 'moved')\n"
        "os.mkdir('sub'); os.chdir('sub'); open('../b.csv').close()\n"
        "sqlite3.connect('new.db').execute('create table t (a)');\n",
        python=python,
    )
    assert noting.named(made.read) == ["a.csv", "b.csv", "c.csv"]
    assert noting.named(made.written) == ["a.csv", "made", "moved", "sub/new.db"]
    assert made.pythons == 1
    assert not made.old and not made.is_cut


@pytest.mark.parametrize("python", OTHERS.values(), ids=OTHERS)
def test_an_older_python_says_that_it_cannot(noting: Noting, python: Path) -> None:
    made = noting.run("open('a.csv').close()", python=python)
    assert list(made.old) == [version for version, path in OTHERS.items() if path == python]
    assert made.pythons == 0 and not made.read


def test_nothing_of_the_environment_is_noted(noting: Noting) -> None:
    made = noting.run("import json, email.mime.text, numpy, decimal; open('/proc/self/status').close()")
    assert made.read == {} and made.written == {}


def test_a_way_through_the_environment_may_lead_out_of_it(noting: Noting) -> None:
    made = noting.run(
        "import json, os\n"
        "inside = os.path.relpath(os.path.dirname(json.__file__))\n"
        "open(inside + '/__init__.py').close()\n"
        "open(os.path.abspath(inside) + '/' + os.path.relpath('a.csv', os.path.realpath(inside))).close()\n"
    )
    assert noting.named(made.read) == ["a.csv"]


def test_a_database_is_read_by_its_address(noting: Noting) -> None:
    (noting.data / "c.csv").rename(noting.data / "ä c.csv")
    time.sleep(0.02)
    made = noting.run(
        "import sqlite3\n"
        f"sqlite3.connect('file:{noting.data}/b.csv?mode=ro', uri=True)\n"
        f"sqlite3.connect({(noting.data / 'ä c.csv').as_uri()!r}, uri=True)",
        since=time.time_ns(),
    )
    assert noting.named(made.read) == ["b.csv", "ä c.csv"]
    assert noting.run("import sqlite3; sqlite3.connect(':memory:')").written == made.written


@pytest.mark.parametrize(
    ("ending", "code"),
    [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("os.execv('/bin/true', ['true'])", 0)],
)
def test_notes_outlast_the_process(noting: Noting, ending: str, code: int) -> None:
    made = noting.run(f"import os; open('a.csv'); {ending}", ends=code)
    assert noting.named(made.read) == ["a.csv"]


def test_forked_and_spawned_processes_and_threads_note_theirs(noting: Noting) -> None:
    (noting.data / "work.py").write_text(
        "import multiprocessing, threading\n"
        "def read(name): open(name).close()\n"
        "if __name__ == '__main__':\n"
        "    for way, name in (('fork', 'a.csv'), ('spawn', 'b.csv')):\n"
        "        child = multiprocessing.get_context(way).Process(target=read, args=(name,))\n"
        "        child.start(); child.join()\n"
        "    thread = threading.Thread(target=read, args=('c.csv',)); thread.start(); thread.join()\n"
    )
    made = noting.run(
        "import runpy, sys; sys.argv[0] = 'work.py'; runpy.run_path('work.py', run_name='__main__')"
    )
    assert {"a.csv", "b.csv", "c.csv"} <= set(noting.named(made.read))
    assert made.pythons >= 2


def test_a_program_that_closes_all_files_loses_none_and_finds_no_note_in_its_own(noting: Noting) -> None:
    made = noting.run(
        "import os\n"
        "own = os.open('own', os.O_RDWR | os.O_CREAT)\n"
        "os.dup2(own, 0); os.closerange(3, 4096)\n"
        "while os.dup(0) < 1000: pass\n"
        "open('a.csv').close(); open('b.csv').close(); open('c.csv').close()\n"
        "assert os.fstat(0).st_size == 0, 'a note is in a file of the program'\n"
    )
    assert noting.named(made.read) == ["a.csv", "b.csv", "c.csv"]


def test_a_file_is_noted_once_and_what_is_too_much_is_said_to_be(noting: Noting) -> None:
    made = noting.run(
        "import sys\n"
        "for number in range(3): open('a.csv').close()\n"
        "for number in range(100001): sys.audit('open', '/nowhere/%d' % number, 'r', 0)\n"
        "open('b.csv').close()\n"
    )
    assert noting.named(made.read) == ["a.csv"]
    assert made.is_cut
    (file,) = noting.notes.iterdir()
    assert file.read_bytes().count(b"a.csv\0") == 1


def test_programs_that_are_started_are_noted(noting: Noting) -> None:
    made = noting.run(
        "import os, subprocess, sys\n"
        "subprocess.run([sys.executable, '-I', '-c', ''])\n"
        "subprocess.run([sys.executable, '-c', ''], env={})\n"
        "os.system('true')\n"
    )
    assert [(words[1:], bare) for words, bare in made.programs] == [
        (("-I", "-c", ""), False),
        (("-c", ""), True),
        (("-c", "true"), False),
    ]


@pytest.mark.parametrize("place", ["/nonexistent/folder", "nonsense", ""])
def test_without_a_place_for_notes_the_program_goes_on(noting: Noting, place: str) -> None:
    noting.environ["MLPROJ_READS"] = place if place != "/nonexistent/folder" else f"1:{place}"
    assert noting.run("open('a.csv').close(); print('done')").read == {}


def test_names_that_are_no_text_are_noted(noting: Noting) -> None:
    made = noting.run(
        "import os\n"
        "name = b'odd\\xff\\nname'\n"
        "os.rename('a.csv', name); os.close(os.open(name, os.O_WRONLY))\n"
    )
    assert [os.fsencode(path)[-9:] for path in made.written] == [b"odd\xff\nname"]
