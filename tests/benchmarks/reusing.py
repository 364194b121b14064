"""What it costs to find that there is nothing to do, beside DVC."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, find_peer, repository
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, race
from tests.benchmarks.table import NotMeasured, Row

LIMIT = 0.3
COMMAND = "sort -r data.csv > sorted.csv"
MLPROJECT = f"""\
name: sorting
entry_points:
  main:
    inputs: [data.csv]
    command: "{COMMAND}"
    outputs: [sorted.csv]
"""
STAGE = f"""\
stages:
  main:
    cmd: {COMMAND}
    deps: [data.csv]
    outs: [sorted.csv]
"""


def reuse(bench: Bench) -> Rows:
    """`mlproj run --reuse` of what was run before, its output in place and gone; `dvc repro` of the same."""
    data = "".join(f"{number},{number * number}\n" for number in range(10_000))
    ours = bench.arena.folder / "reuse"
    repository(ours, {"MLproject": MLPROJECT, "data.csv": data})
    command = (MLPROJ, "run", ".", "--reuse", "--env-manager", "local")
    contenders = [
        Contender(name="mlproj", command=command, directory=ours, environ=bench.arena.environ),
        Contender(
            name="mlproj, output gone",
            command=command,
            directory=ours,
            environ=bench.arena.environ,
            before=lambda: (ours / "sorted.csv").unlink(missing_ok=True),
        ),
    ]
    dvc = find_peer("dvc", "dvc>=3")
    if dvc is not None:
        contenders.append(_dvc(bench, dvc, data))
    hit, placed, *others = race(contenders, bench.repetitions)
    for name, figure in (("output in place", hit), ("output put in place", placed)):
        yield Row(
            what=f"`mlproj run --reuse`, a hit, {name}",
            ours=seconds(figure),
            figure=figure.seconds,
            unit="s",
            limit=LIMIT,
        )
    if not others:
        yield NotMeasured(what="`--reuse`: against `dvc repro`", reason="dvc could not be installed")
    for figure in others:
        yield Row(
            what="`--reuse`: times faster than `dvc repro` of an unchanged stage",
            ours=seconds(hit),
            against=f"dvc {seconds(figure)}",
            figure=figure.seconds / hit.seconds,
            unit="x",
        )


def _dvc(bench: Bench, dvc: str, data: str) -> Contender:
    """A stage that was run once."""
    folder = bench.arena.folder / "dvc"
    environ = {
        **bench.arena.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "config"),
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
    }
    repository(folder, {"dvc.yaml": STAGE, "data.csv": data})
    for command in ((dvc, "init", "--quiet"), (dvc, "repro", "--quiet")):
        subprocess.run(command, cwd=folder, env=environ, check=True, stdin=subprocess.DEVNULL)
    assert Path(folder, "sorted.csv").exists()
    return Contender(name="dvc", command=(dvc, "repro"), directory=folder, environ=environ)


CASES: dict[str, Case] = {"reuse": reuse}
