"""What it costs that a run sees nothing but what its record names, beside the same run without."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, race
from tests.benchmarks.table import NotMeasured, Row

OVERHEAD_LIMIT = 0.1
NO_BUBBLEWRAP = "bubblewrap is not installed"


def isolation(bench: Bench) -> Rows:
    """A one-line `echo` in the caller's own environment, everything recorded."""
    if shutil.which("bwrap") is None:
        yield NotMeasured(what="echo, isolated: over the same run, plain", reason=NO_BUBBLEWRAP)
        return
    project = bench.arena.trivial
    contenders = [_ours(bench, project), _ours(bench, project, "--isolated")]
    plain, isolated = race(contenders, bench.repetitions)
    yield Row(
        what="echo, isolated: over the same run, plain",
        ours=seconds(isolated),
        against=f"plain {seconds(plain)}",
        figure=isolated.seconds - plain.seconds,
        unit="s",
        limit=OVERHEAD_LIMIT,
    )


def _ours(bench: Bench, project: Path, *options: str) -> Contender:
    command = (MLPROJ, "run", str(project), "--env-manager", "local", *options)
    return bench.contender(" ".join(("mlproj", *options)), command)


CASES: dict[str, Case] = {"isolation": isolation}
