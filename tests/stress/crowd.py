"""Eight runs at once in one store, again and again: `python -m tests.stress.crowd 50`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlproj.model.run import Run, Status
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery
from tests.stress.arena import Arena, faults, lay_out

AT_ONCE = 8
WITH_OUTPUTS = 2
"""So many of them write the same outputs, and have to wait for each other."""


def crowd(folder: Path, rounds: int, tell: Callable[[str], object] = lambda line: None) -> list[str]:
    """What went wrong in so many rounds: a run that failed or was not sealed, a break in the chain."""
    arena = lay_out(folder)
    found: list[str] = []
    for number in range(rounds):
        found += _round(arena, number)
        tell(f"{number + 1}/{rounds} {found or 'sound'}")
    return [*found, *_history(arena, rounds * AT_ONCE), *faults(arena.store)]


def _round(arena: Arena, number: int) -> list[str]:
    processes = []
    for place in range(AT_ONCE):
        entry = "main" if place < WITH_OUTPUTS else "quick"
        given = ("-e", entry, "-P", f"number={number * AT_ONCE + place}", "--env-manager", "local")
        processes.append(arena.start("run", ".", *given))
    found = []
    for process in processes:
        said, _ = process.communicate()
        if process.returncode != 0 or b"locked" in said or b"busy" in said:
            found.append(f"ended with {process.returncode}: {said!r}")
    return found


def _history(arena: Arena, wanted: int) -> list[str]:
    store = open_store(arena.store, create=False)
    try:
        runs = store.search(RunQuery(limit=None))
        sequences = [entry.sequence for entry in store.entries()]
    finally:
        store.close()
    found = [f"{run.run_id} is {run.status.value}" for run in runs if run.status is not Status.FINISHED]
    uncredited = [
        f"{run.run_id} was not credited with its outputs"
        for run in runs
        if run.plan is not None and run.plan.entry_point == "main" and not _wrote_all(run)
    ]
    if len(runs) != wanted:
        found.append(f"{len(runs)} runs are recorded, not {wanted}")
    if sequences != list(range(1, wanted + 1)):
        found.append("the chain has a gap")
    return found + uncredited


def _wrote_all(run: Run) -> bool:
    return run.outcome is not None and all(output.state == "written" for output in run.outcome.outputs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlproj-crowd-") as folder:
        found = crowd(Path(folder), given.rounds, lambda line: sys.stdout.write(line + "\n"))
    for fault in found:
        sys.stdout.write(f"FAULT {fault}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
