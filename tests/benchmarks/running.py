"""What starting up, running and building cost, beside the bare command, uv by hand and mlflow."""

from __future__ import annotations

import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.arena import MLPROJ, REQUIREMENTS, UV, empty
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Figure, race
from tests.benchmarks.table import NotMeasured, Row, amount

START_LIMIT = 0.12
OVERHEAD_LIMIT = 0.30
FASTER_THAN_MLFLOW = 12.0
MEMORY_LIMIT = 90.0
WARM_LIMIT = 0.1
COLD_LIMIT = 1.25

SMALLER_THAN_A_RUN = frozenset(("six",))
"""What uv installs in less time than the rest of a run takes: the whole run says nothing of it."""

NO_MLFLOW = "mlflow could not be installed"
NO_PYENV = "mlflow needs pyenv to make a virtualenv, and there is none here"


def start(bench: Bench) -> Rows:
    """How long it takes to say something, with bytecode compiled."""
    contenders = [bench.contender(option, (MLPROJ, option)) for option in ("--version", "--help")]
    for figure in race(contenders, bench.repetitions):
        yield Row(
            what=f"mlproj {figure.name}",
            ours=seconds(figure),
            figure=figure.seconds,
            unit="s",
            limit=START_LIMIT,
        )


def trivial(bench: Bench) -> Rows:
    """A one-line `echo` in the caller's own environment, everything recorded."""
    project, store = bench.arena.trivial, bench.arena.store
    contenders = [
        bench.contender("bash -c", ("bash", "-c", "echo 0.5")),
        bench.mlproj(project, "local"),
        bench.mlproj(project, "local", before=partial(empty, store), name="mlproj, new store"),
    ]
    if bench.mlflow is not None:
        contenders.append(bench.mlflow_run(project, "local"))
    bare, ours, first, *others = race(contenders, bench.repetitions)
    yield _overhead("echo, local: over the bare command", ours, bare)
    yield _overhead("echo, local, new store: over the bare command", first, bare)
    if not others:
        yield NotMeasured(what="echo, local: against `mlflow run`", reason=NO_MLFLOW)
    for mlflow in others:
        yield Row(
            what="echo, local: times faster than `mlflow run`",
            ours=seconds(ours),
            against=f"mlflow {seconds(mlflow)}",
            figure=mlflow.seconds / ours.seconds,
            unit="x",
            limit=FASTER_THAN_MLFLOW,
            at_least=True,
        )
    yield Row(
        what="echo, local: peak memory",
        ours=amount(ours.peak_mib, "MiB"),
        against="".join(f"mlflow {amount(mlflow.peak_mib, 'MiB')}" for mlflow in others),
        figure=ours.peak_mib,
        unit="MiB",
        limit=MEMORY_LIMIT,
    )


def warm(bench: Bench) -> Rows:
    """A run in a virtualenv that is built already, beside the same run in the caller's own environment."""
    project = bench.arena.project("six")
    local, built = race(
        [bench.mlproj(project, "local"), bench.mlproj(project, "virtualenv")], bench.repetitions
    )
    yield Row(
        what="virtualenv, warm: over local",
        ours=seconds(built),
        against=f"local {seconds(local)}",
        figure=built.seconds - local.seconds,
        unit="s",
        limit=WARM_LIMIT,
    )


def cold(bench: Bench) -> Rows:
    """A run that has to resolve and build first, wheels in uv's cache, beside uv by hand.

    Like uv's, mlproj's cache knows the machine's Pythons already; a machine's first run is measured too.
    """
    arena = bench.arena
    for name, requirements in REQUIREMENTS.items():
        by_hand = f"{_uv_by_hand(arena.by_hand, requirements)} && {arena.by_hand}/bin/python --version"
        project = arena.project(name)
        hand, ours, built, first = race(
            [
                bench.contender("uv by hand", ("bash", "-c", by_hand), partial(empty, arena.by_hand)),
                bench.mlproj(project, "virtualenv", partial(empty, *arena.built)),
                bench.mlproj(project, "virtualenv"),
                bench.mlproj(project, "virtualenv", partial(empty, arena.cache)),
            ],
            bench.slow_repetitions,
        )
        yield Row(
            what=f"virtualenv, cold, {name}: what building adds, against uv by hand",
            ours=amount(ours.seconds - built.seconds, "s"),
            against=f"uv {seconds(hand)}",
            figure=(ours.seconds - built.seconds) / hand.seconds,
            unit="x",
            limit=COLD_LIMIT,
        )
        whole_limit = None if name in SMALLER_THAN_A_RUN else COLD_LIMIT
        yield _by_hand(f"virtualenv, cold, {name}: the whole run, likewise", ours, hand, limit=whole_limit)
        yield _by_hand(
            f"virtualenv, cold, {name}: the same with an empty cache", first, hand, limit=whole_limit
        )


def cold_mlflow(bench: Bench) -> Rows:
    """The same for `mlflow run`, which makes its virtualenv with pyenv's Python and pip."""
    what = "virtualenv, cold, six: times faster than `mlflow run`"
    if bench.mlflow is None or shutil.which("pyenv") is None:
        yield NotMeasured(what=what, reason=NO_MLFLOW if bench.mlflow is None else NO_PYENV)
        return
    arena = bench.arena
    project = arena.project("six")
    ours, mlflow = race(
        [
            bench.mlproj(project, "virtualenv", partial(empty, *arena.built)),
            bench.mlflow_run(project, "virtualenv", partial(empty, arena.mlflow_environments)),
        ],
        bench.slow_repetitions,
    )
    yield Row(
        what=what,
        ours=seconds(ours),
        against=f"mlflow {seconds(mlflow)}",
        figure=mlflow.seconds / ours.seconds,
        unit="x",
    )


def _overhead(what: str, ours: Figure, bare: Figure) -> Row:
    return Row(
        what=what,
        ours=seconds(ours),
        against=f"{bare.name} {seconds(bare)}",
        figure=ours.seconds - bare.seconds,
        unit="s",
        limit=OVERHEAD_LIMIT,
    )


def _by_hand(what: str, ours: Figure, hand: Figure, *, limit: float | None = None) -> Row:
    return Row(
        what=what,
        ours=seconds(ours),
        against=f"uv {seconds(hand)}",
        figure=ours.seconds / hand.seconds,
        unit="x",
        limit=limit,
    )


def _uv_by_hand(folder: Path, requirements: tuple[str, ...]) -> str:
    """What a person would type for an environment that holds the same, pip included."""
    create = (UV, "venv", "--quiet", "--python", sys.executable, str(folder))
    install = (UV, "pip", "install", "--quiet", "--python", str(folder), "pip", *requirements)
    return f"{shlex.join(create)} && {shlex.join(install)}"


CASES: dict[str, Case] = {
    "start": start,
    "trivial": trivial,
    "warm": warm,
    "cold": cold,
    "cold_mlflow": cold_mlflow,
}
WITH_MLFLOW = frozenset(("trivial", "cold_mlflow"))
