"""What `mlproj verify` costs, beside a bare loop over hashlib that reads all that it has to read."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from mlproj.store.opening import open_store
from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows
from tests.benchmarks.hashing import least
from tests.benchmarks.past import lengthen
from tests.benchmarks.table import Row, amount

RUNS = 10_000
SIZE = 1 << 30
LIMIT = 1.25
"""At least 0.8 of the bare loop's speed."""

_PROJECT = """\
name: trained
entry_points:
  main:
    outputs: [model]
    metrics: [metrics.json]
    command: >-
      head -c {size} /dev/urandom > model && echo '{{{{"rmse": 0.25, "mae": 0.5}}}}' > metrics.json
"""


def verify(bench: Bench) -> Rows:
    """10,000 runs and 1 GiB of content: each with a model of its own, and all with one large one."""
    each = SIZE // RUNS
    for what, size in ((f"a model of {each >> 10} KiB each", each), ("one model of 1 GiB", SIZE)):
        store = _store(bench, size)
        ours, bare = least([("verified", store), ("store_loop", store)], bench.slow_repetitions)
        yield Row(
            what=f"`verify` of {RUNS:,} runs with {what}: times a bare loop",
            ours=amount(ours, "s"),
            against=f"hashlib {amount(bare, 's')}",
            figure=ours / bare,
            unit="x",
            limit=LIMIT,
        )


def _store(bench: Bench, size: int) -> Path:
    project, root = bench.arena.folder / f"trained-{size}", bench.arena.folder / f"verify-{size}"
    project.mkdir()
    (project / "MLproject").write_text(_PROJECT.format(size=size))
    command = (MLPROJ, "run", str(project), "--env-manager", "local", "--store", str(root))
    subprocess.run(
        command, cwd=bench.arena.folder, env=dict(bench.arena.environ), check=True, capture_output=True
    )
    store = open_store(root, create=False)
    outcome = store.find("last").outcome
    assert outcome is not None and outcome.outputs[0].digest is not None
    block, chance = os.urandom(2 * size) if size < SIZE else b"", random.Random(1)

    def renewed() -> str:
        begin = chance.randrange(size)
        return store.blobs.add_bytes(block[begin : begin + size] + os.urandom(8))

    lengthen(root, RUNS, shared=outcome.outputs[0].digest if block else "", renewed=renewed)
    store.close()
    return root


CASES: dict[str, Case] = {"verify": verify}
