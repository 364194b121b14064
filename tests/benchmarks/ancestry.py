"""What it costs to ask where something came from, in a store of 10,000 runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, repository
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import race
from tests.benchmarks.past import lengthen
from tests.benchmarks.table import Row

COUNT = 10_000
LIMIT = 1.0
PROJECT = """\
name: chain
entry_points:
  prepare:
    parameters: {raw: path, factor: int}
    command: "mkdir -p prepared && (cat {raw}; echo {factor}) > prepared/table.csv && seq 20 > prepared/more"
    outputs: [prepared]
  train:
    parameters: {table: path}
    command: "cat {table} > model.bin"
    outputs: [model.bin]
"""


def lineage(bench: Bench) -> Rows:
    """Asked of a model file that one run left, of data that all of them read, and of a file in a folder that
    all but one left."""
    folder, store = bench.arena.folder / "lineage", bench.arena.folder / "lineage-store"
    repository(folder, {"MLproject": PROJECT, "raw.csv": "1,2\n"})
    common, rare = folder / "common.csv", folder / "rare.csv"
    _record(bench, store, folder, "prepare", "raw=raw.csv", "factor=1")
    shutil.copy(folder / "prepared" / "table.csv", common)
    lengthen(store, COUNT)
    _record(bench, store, folder, "prepare", "raw=raw.csv", "factor=2")
    shutil.copy(folder / "prepared" / "table.csv", rare)
    _record(bench, store, folder, "train", "table=rare.csv")
    asked = {
        "a model file, up": ("model.bin", "--up"),
        "data that all read, down": ("raw.csv", "--down"),
        "a file that all left, both ways": ("common.csv",),
        "the last run, both ways": ("last",),
    }
    contenders = [
        bench.contender(name, (MLPROJ, "lineage", *_at(folder, *words), "--store", str(store)))
        for name, words in asked.items()
    ]
    for figure in race(contenders, bench.repetitions):
        yield Row(
            what=f"lineage with {COUNT:,} runs: {figure.name}",
            ours=seconds(figure),
            figure=figure.seconds,
            unit="s",
            limit=LIMIT,
        )


def _at(folder: Path, what: str, *options: str) -> tuple[str, ...]:
    return (what if what == "last" else str(folder / what), *options)


def _record(bench: Bench, store: Path, project: Path, entry: str, *given: str) -> None:
    values = (word for text in given for word in ("-P", text))
    options = ("-e", entry, *values, "--env-manager", "local", "--store", str(store))
    environ = dict(bench.arena.environ)
    command = (MLPROJ, "run", ".", *options)
    subprocess.run(command, cwd=project, env=environ, check=True, capture_output=True)


CASES: dict[str, Case] = {"lineage": lineage}
