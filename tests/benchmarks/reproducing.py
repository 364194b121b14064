"""What doing a recorded run again costs, beside the run itself."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.arena import MLPROJ, empty
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import race
from tests.benchmarks.table import Row

LIMIT = 0.3


def reproduce(bench: Bench) -> Rows:
    """A one-line `echo`, run and reproduced in turns, in a store that holds little else."""
    arena = bench.arena
    run, again = race(
        [
            bench.mlproj(arena.trivial, "local", before=partial(empty, arena.store)),
            bench.contender("mlproj reproduce", (MLPROJ, "reproduce", "last")),
        ],
        bench.repetitions,
    )
    yield Row(
        what="reproduce, warm trivial run: over `mlproj run` of it",
        ours=seconds(again),
        against=f"run {seconds(run)}",
        figure=again.seconds - run.seconds,
        unit="s",
        limit=LIMIT,
    )


CASES: dict[str, Case] = {"reproduce": reproduce}
