"""What a long history costs, beside an empty store; and what a run takes on the disk."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, ROOT
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, race
from tests.benchmarks.past import lengthen
from tests.benchmarks.table import Row, amount

LIMITS = {10_000: 0.1, 100_000: 0.2}
"""Seconds that a history of so many runs may add to a command."""
SAMPLE = 20
"""So many runs are made to see what one takes."""


def history(bench: Bench) -> Rows:
    """The newest runs, one run, and one more run, in stores of 1, 10,000 and 100,000 runs."""
    empty = bench.arena.folder / "history" / "1"
    _record(bench, empty, bench.arena.trivial)
    stores = {1: empty}
    for count in LIMITS:
        stores[count] = empty.with_name(str(count))
        shutil.copytree(empty, stores[count])
        lengthen(stores[count], count)
    for name, command in _commands(bench):
        contenders = [_contender(bench, command, store) for store in stores.values()]
        short, *long = race(contenders, bench.repetitions)
        for count, figure in zip(LIMITS, long, strict=True):
            yield Row(
                what=f"{name} with {count:,} runs: over a store of one",
                ours=seconds(figure),
                against=f"one run {seconds(short)}",
                figure=figure.seconds - short.seconds,
                unit="s",
                limit=LIMITS[count],
            )


def disk(bench: Bench) -> Rows:
    """What a further run of a project takes on the disk: rows, record, blobs, all in whole blocks."""
    projects = {"trivial": bench.arena.trivial, "elasticnet": ROOT / "example_projects" / "elasticnet"}
    for name, project in projects.items():
        store = bench.arena.folder / f"disk-{name}"
        options = ("-e", "train") if name == "elasticnet" else ("--env-manager", "local")
        _record(bench, store, project, *options)
        before = _taken(store)
        for number in range(SAMPLE):
            given = ("-P", f"alpha={1 + number / SAMPLE}")
            _record(bench, store, project, *options, *given)
        yield Row(
            what=f"disk, a further run of {name}",
            ours=amount((_taken(store) - before) / SAMPLE / 1024, "KiB"),
            against=f"the first {amount(before / 1024, 'KiB')}",
            figure=(_taken(store) - before) / SAMPLE / 1024,
            unit="KiB",
        )


def _commands(bench: Bench) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "`mlproj runs`", ("runs",)
    yield "`mlproj show` by name", ("show", "run-500")
    yield "`mlproj run` of an echo", ("run", str(bench.arena.trivial), "--env-manager", "local")


def _contender(bench: Bench, command: tuple[str, ...], store: Path) -> Contender:
    # The store of one has no run of that name.
    chosen = ("show", "last") if command[0] == "show" and store.name == "1" else command
    return bench.contender(f"{command[0]} {store.name}", (MLPROJ, *chosen, "--store", str(store)))


def _record(bench: Bench, store: Path, project: Path, *options: str) -> None:
    given = options or ("--env-manager", "local")
    command = (MLPROJ, "run", str(project), *given, "--store", str(store))
    subprocess.run(
        command, cwd=bench.arena.folder, env=dict(bench.arena.environ), check=True, capture_output=True
    )


def _taken(store: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in (store, *store.rglob("*")))


CASES: dict[str, Case] = {"history": history, "disk": disk}
