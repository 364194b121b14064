"""What handing a run over costs, beside copying what it left."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows
from tests.benchmarks.measure import race
from tests.benchmarks.table import Row, amount

LIMIT = 1.2
"""How many times a copy with its `sha256sum` at once, an export may take, which does both."""
MEMORY_LIMIT = 150.0
_SIZE = 1 << 30
_BLOCK = 64 << 20


def bundle(bench: Bench) -> Rows:
    """Export, check and import of a run that left 1 GiB, beside a copy of it that is synced."""
    folder = bench.arena.folder / "bundle"
    store, large, copy = folder / "store", folder / "large.bin", folder / "copy.bin"
    folder.mkdir()
    _record(bench, folder, large, store)
    exported, written, other = folder / "run.zip", folder / "copy.zip", folder / "other"
    _mlproj(bench, "export", "last", "-o", str(exported), "--store", str(store))
    export = (MLPROJ, "export", "last", "-o", str(written), "--force", "--store", str(store))
    copied = f"cp '{large}' '{copy}' && sync '{copy}'"
    contenders = [
        bench.contender("export", export, lambda: written.unlink(missing_ok=True)),
        bench.contender("cp", ("sh", "-c", copied), lambda: copy.unlink(missing_ok=True)),
        bench.contender(
            "both",
            ("sh", "-c", f"sha256sum '{large}' & {copied}; wait"),
            lambda: copy.unlink(missing_ok=True),
        ),
        bench.contender("verify", (MLPROJ, "verify", str(exported))),
        bench.contender("sha256sum", ("sha256sum", str(large))),
    ]
    ours, bare, both, checked, hashed = race(contenders, bench.slow_repetitions)
    yield Row(
        what="export of a run that left 1 GiB: least time, over `cp`, `sync` and `sha256sum` of it",
        ours=amount(ours.least, "s"),
        against=f"{amount(both.least, 's')}; cp alone {amount(bare.least, 's')}",
        figure=ours.least / both.least,
        unit="x",
        limit=LIMIT,
    )
    for name, figure in (("export", ours), ("verify", checked)):
        yield Row(
            what=f"{name} of 1 GiB: memory",
            ours=amount(figure.peak_mib, "MiB"),
            figure=figure.peak_mib,
            unit="MiB",
            limit=MEMORY_LIMIT,
        )
    yield Row(
        what="verify of a bundle of 1 GiB: least time, over `sha256sum`",
        ours=amount(checked.least, "s"),
        against=f"sha256sum {amount(hashed.least, 's')}",
        figure=checked.least / hashed.least,
        unit="x",
    )
    brought = bench.contender("import", (MLPROJ, "import", str(exported), "--store", str(other)))
    (figure,) = race([brought], 1)
    yield Row(
        what="import of 1 GiB: memory",
        ours=amount(figure.peak_mib, "MiB"),
        figure=figure.peak_mib,
        unit="MiB",
        limit=MEMORY_LIMIT,
    )


def _record(bench: Bench, folder: Path, large: Path, store: Path) -> None:
    """A run that leaves as much."""
    block = os.urandom(_BLOCK)
    with large.open("wb") as file:
        for _ in range(_SIZE // _BLOCK):
            file.write(block)
    project = folder / "project"
    project.mkdir()
    (project / "MLproject").write_text(
        f"entry_points:\n  main:\n    command: cp '{large}' left.bin\n    outputs: [left.bin]\n"
    )
    _mlproj(bench, "run", str(project), "--env-manager", "local", "--store", str(store))


def _mlproj(bench: Bench, *arguments: str) -> None:
    command = (MLPROJ, *arguments)
    environ = dict(bench.arena.environ)
    subprocess.run(command, cwd=bench.arena.folder, env=environ, check=True, capture_output=True)


CASES: dict[str, Case] = {"bundle": bundle}
