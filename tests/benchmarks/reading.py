"""What it costs to see what is read: the hook alone, beside a Python without it, and whole runs."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from pathlib import Path

from mlproj.services.hook import FOLDER
from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, Figure, race
from tests.benchmarks.table import NotMeasured, Row

FILES = 50_000
START_LIMIT = 0.004
OPEN_LIMIT = 2.0
"""Times that a Python takes which does nothing but open small files, each for the first time."""

READING = f"""\
import os
many = os.path.join(os.path.dirname(os.getcwd()), "many") + "/"
for number in range({FILES}):
    with open(many + str(number), "rb") as file:
        file.read()
"""


def audit(bench: Bench) -> Rows:
    """A Python that does nothing, and one that opens 50,000 files, without the hook and with it."""
    folder = _folder(bench.arena.folder / "reading" / "project")
    notes = folder.with_name("notes")

    def fresh() -> None:
        shutil.rmtree(notes, ignore_errors=True)
        notes.mkdir()

    for what, argument in (("start", ("-c", "")), ("50,000 files", ("read.py",))):
        bare = Contender(
            name="python", command=(sys.executable, *argument), directory=folder, environ=bench.arena.environ
        )
        begun = time.time_ns()
        seen = {**bench.arena.environ, "PYTHONPATH": str(FOLDER), "MLPROJ_READS": f"{begun}:{notes}"}
        hooked = Contender(name="hook", command=bare.command, directory=folder, environ=seen, before=fresh)
        without, with_hook = race([bare, hooked], bench.repetitions)
        yield _row(what, with_hook, without)
    yield from _whole(bench, folder)


def _row(what: str, hooked: Figure, bare: Figure) -> Row:
    ours, against = seconds(hooked), f"without {seconds(bare)}"
    if what == "start":
        over = hooked.least - bare.least
        name = "audit hook: start of a Python, over one without"
        return Row(what=name, ours=ours, against=against, figure=over, unit="s", limit=START_LIMIT)
    name = f"audit hook: {what} opened, times without"
    ratio = hooked.least / bare.least
    return Row(what=name, ours=ours, against=against, figure=ratio, unit="x", limit=OPEN_LIMIT)


def _whole(bench: Bench, folder: Path) -> Rows:
    """The whole run, its 50,000 files digested (from the second time on, out of the stat cache)."""
    ways = ["off", "python"] + (["full"] if shutil.which("strace") else [])
    command = (MLPROJ, "run", str(folder), "--env-manager", "local")
    runs = [bench.contender(f"--trace={way}", (*command, f"--trace={way}")) for way in ways]
    off, python, *full = race(runs, bench.slow_repetitions)
    for figure in (python, *full):
        yield Row(
            what=f"a run that opens 50,000 files, {figure.name}",
            ours=seconds(figure),
            against=f"--trace=off {seconds(off)}",
            figure=figure.seconds / off.seconds,
            unit="x",
        )
    if not full:
        yield NotMeasured(what="a run that opens 50,000 files, --trace=full", reason="strace is not there")


def _folder(folder: Path) -> Path:
    """A project that reads what lies beside it."""
    many = folder.with_name("many")
    if not many.is_dir():
        many.mkdir(parents=True)
        for number in range(FILES):
            (many / str(number)).write_bytes(b"x")
        folder.mkdir()
        (folder / "read.py").write_text(READING)
        command = f"{shlex.quote(sys.executable)} read.py"
        (folder / "MLproject").write_text(f"entry_points:\n  main:\n    command: {command}\n")
    return folder


CASES: dict[str, Case] = {"audit": audit}
