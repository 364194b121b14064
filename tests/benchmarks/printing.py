"""What a child's output costs, beside `tee`: the whole command, less a run's fixed cost, and the child."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, Figure, race
from tests.benchmarks.table import Row, amount

LIMIT = 1.5
MEMORY_LIMIT = 90.0
LINES = 1_000_000

SCRIPTS = {
    "buffered.py": f"for number in range({LINES}):\n    print('line', number)\n",
    "flushed.py": f"for number in range({LINES}):\n    print('line', number, flush=True)\n",
    "alternating.py": "import sys\n"
    f"for number in range({LINES // 2}):\n"
    "    print('line', number, flush=True)\n"
    "    print('line', number, flush=True, file=sys.stderr)\n",
}
PYTHON = shlex.quote(sys.executable)
COMMANDS = {
    "nothing": "true",
    "buffered": f"{PYTHON} buffered.py",
    "flushed": f"{PYTHON} flushed.py",
    "alternating": f"{PYTHON} alternating.py",
    "fast": f"seq {LINES}",
    "gibibyte": "head -c 1G /dev/zero | tr '\\0' x",
}


def lines(bench: Bench) -> Rows:
    """A million lines: from a program that buffers, from one that flushes each, and as fast as it goes."""
    yield from _against_tee(bench, "buffered", "a million lines, buffered", limit=LIMIT)
    yield from _against_tee(bench, "flushed", "a million lines, each flushed", limit=LIMIT)
    yield from _against_tee(bench, "alternating", "a million lines, every other to stderr, flushed")
    yield from _against_tee(bench, "fast", "`seq` of a million")


def storm(bench: Bench) -> Rows:
    """A gibibyte without a newline, of which the record keeps its limit."""
    yield from _against_tee(bench, "gibibyte", "1 GiB", slow=True)


def _against_tee(
    bench: Bench, entry: str, what: str, *, limit: float | None = None, slow: bool = False
) -> Rows:
    project = _project(bench.arena.folder / "printing")
    repetitions = bench.slow_repetitions if slow else bench.repetitions
    tee, ours, nothing = race(
        [
            _contender(bench, project, "tee", ("bash", "-c", f"({COMMANDS[entry]}) 2>&1 | tee file")),
            _contender(bench, project, "mlproj", _run(entry)),
            _contender(bench, project, "nothing", _run("nothing")),
        ],
        repetitions,
    )
    child = statistics.median(_walls(bench, project, entry, repetitions))
    beyond = ours.seconds - nothing.seconds
    yield _row(f"{what}: the whole command", seconds(ours), tee, ours.seconds, limit)
    yield _row(f"{what}: beyond a run's fixed cost", amount(beyond, "s"), tee, beyond)
    yield _row(f"{what}: the child", amount(child, "s"), tee, child)
    yield Row(
        what=f"{what}: peak memory",
        ours=amount(ours.peak_mib, "MiB"),
        figure=ours.peak_mib,
        unit="MiB",
        limit=MEMORY_LIMIT,
    )


def _row(what: str, ours: str, tee: Figure, time: float, limit: float | None = None) -> Row:
    return Row(
        what=what, ours=ours, against=f"tee {seconds(tee)}", figure=time / tee.seconds, unit="x", limit=limit
    )


def _run(entry: str) -> tuple[str, ...]:
    return (MLPROJ, "run", ".", "-e", entry, "--env-manager", "local")


def _contender(bench: Bench, project: Path, name: str, command: tuple[str, ...]) -> Contender:
    return replace(bench.contender(name, command), directory=project)


def _walls(bench: Bench, project: Path, entry: str, count: int) -> list[float]:
    """What the children of the last runs took, by their records."""
    listed = subprocess.run(
        (MLPROJ, "runs", "--limit", str(3 * count), "--json"),
        cwd=project,
        env=dict(bench.arena.environ),
        stdout=subprocess.PIPE,
        check=True,
    )
    runs = json.loads(listed.stdout)["runs"]
    return [run["usage"]["wall_s"] for run in runs if run["entry_point"] == entry][:count]


def _project(folder: Path) -> Path:
    if not folder.exists():
        folder.mkdir()
        for name, text in SCRIPTS.items():
            (folder / name).write_text(text)
        entries = {entry: {"command": command} for entry, command in COMMANDS.items()}
        (folder / "MLproject").write_text(json.dumps({"entry_points": entries}))
    return folder


CASES: dict[str, Case] = {"lines": lines, "storm": storm}
