"""What mlproj costs, side by side with what else does the same (`make bench`, `BENCH=--quick`)."""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import (
    ancestry,
    bundle,
    conda,
    containers,
    hashing,
    history,
    hosting,
    isolation,
    page,
    printing,
    reading,
    reproducing,
    reusing,
    running,
    scoring,
    tracking,
    verifying,
)
from tests.benchmarks.arena import ROOT, find_mlflow, open_arena
from tests.benchmarks.contest import Bench, Case
from tests.benchmarks.table import Row, render

CASES: dict[str, Case] = {
    **running.CASES,
    **containers.CASES,
    **isolation.CASES,
    **hashing.CASES,
    **printing.CASES,
    **reading.CASES,
    **history.CASES,
    **ancestry.CASES,
    **reusing.CASES,
    **conda.CASES,
    **tracking.CASES,
    **hosting.CASES,
    **page.CASES,
    **scoring.CASES,
    **reproducing.CASES,
    **verifying.CASES,
    **bundle.CASES,
}
WITH_MLFLOW = running.WITH_MLFLOW | tracking.WITH_MLFLOW | hosting.WITH_MLFLOW | scoring.WITH_MLFLOW


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a look")
    parser.add_argument("--mlflow", help="the mlflow program to measure (else one is installed)")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)}; else all")
    given = parser.parse_args()
    unknown = [case for case in given.cases if case not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")
    return given


def main() -> int:
    given = arguments()
    cases = given.cases or list(CASES)
    compileall.compile_dir(ROOT / "mlproj", quiet=1)
    with tempfile.TemporaryDirectory(prefix="mlproj-bench-") as folder:
        bench = Bench(
            arena=open_arena(Path(folder)),
            mlflow=find_mlflow(given.mlflow) if WITH_MLFLOW.intersection(cases) else None,
            repetitions=3 if given.quick else 10,
            slow_repetitions=1 if given.quick else 5,
        )
        rows = [row for case in cases for row in CASES[case](bench)]
    print(render(rows))
    return int(any(isinstance(row, Row) and row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
