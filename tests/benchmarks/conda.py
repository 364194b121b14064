"""What a conda environment of 100 packages costs, beside rattler called by hand and the local environment."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.arena import ROOT, empty, repository
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import race
from tests.benchmarks.table import Row, amount
from tests.conda_channels import Package, channel, pip_package, python_package

COLD_LIMIT = 1.3
WARM_LIMIT = 0.15
PACKAGES, FILES = 98, 150
"""Beside Python and pip, with about as many files as a usual environment for machine learning."""

MLPROJECT = """\
name: conda
conda_env: conda.yaml
entry_points:
  main:
    command: "python --version"
"""


def conda(bench: Bench) -> Rows:
    """A run that solves and links first, packages in rattler's cache, beside rattler by hand."""
    arena, folder = bench.arena, bench.arena.folder / "conda"
    source = _channel(folder.with_name("conda-channel"))
    names = "".join(f"  - part-{number}\n" for number in range(PACKAGES))
    listing = f"channels: [{source}, nodefaults]\ndependencies:\n  - python\n{names}"
    repository(folder, {"MLproject": MLPROJECT, "conda.yaml": listing})
    prefix, cache = arena.by_hand / "conda", arena.folder / "conda-by-hand"
    by_hand = (
        sys.executable,
        str(ROOT / "tests/benchmarks/rattler_by_hand.py"),
        source,
        str(prefix),
        str(cache),
    )
    hand, cold, warm, local = race(
        [
            bench.contender("rattler by hand", (*by_hand, str(PACKAGES)), partial(empty, prefix)),
            bench.mlproj(folder, "conda", partial(empty, *arena.built)),
            bench.mlproj(folder, "conda"),
            bench.mlproj(folder, "local"),
        ],
        bench.slow_repetitions,
    )
    yield Row(
        what="conda, 100 packages: what solving and linking adds, against rattler by hand",
        ours=amount(cold.seconds - warm.seconds, "s"),
        against=f"rattler {seconds(hand)}",
        figure=(cold.seconds - warm.seconds) / hand.seconds,
        unit="x",
        limit=COLD_LIMIT,
    )
    yield Row(
        what="conda, 100 packages, warm: over local",
        ours=seconds(warm),
        against=f"local {seconds(local)}",
        figure=warm.seconds - local.seconds,
        unit="s",
        limit=WARM_LIMIT,
    )


def _channel(folder: Path) -> str:
    """A channel of Python, pip and packages of some size, each of which needs the one before it."""
    packages = (
        Package(
            name=f"part-{number}",
            depends=(f"part-{number - 1}",) if number else ("python",),
            files={
                f"share/part-{number}/{file}": f"{number} {file}\n".encode() * 400 for file in range(FILES)
            },
        )
        for number in range(PACKAGES)
    )
    return channel(folder, python_package(), pip_package(), *packages)


CASES: dict[str, Case] = {"conda": conda}
