"""What running in a container costs, beside `docker run` of the same command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mlproj.engine import engine
from mlproj.planning.containers import CODE
from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.measure import Contender, race
from tests.benchmarks.table import NotMeasured, Row
from tests.engines import BUSYBOX, bring_busybox, is_running

OVERHEAD_LIMIT = 0.5
BUILD_LIMIT = 1.0
NO_ENGINE = "no container engine is running here"

_MAIN = "entry_points:\n  main:\n    command: echo 0.5\n"


def containers(bench: Bench) -> Rows:
    """A one-line `echo` in a container, everything recorded; and the same where its image is built."""
    if not is_running() or shutil.which("busybox") is None:
        yield NotMeasured(what="echo in a container: over `docker run`", reason=NO_ENGINE)
        return
    with engine(os.environ, timeout=None) as client:
        bring_busybox(client, bench.arena.folder)
    named, made = _projects(bench.arena.folder)
    mount = f"{named}:{CODE}"
    command = ("docker", "run", "--rm", "-v", mount, "-w", CODE, BUSYBOX, "sh", "-c", "echo 0.5")
    bare, ours, built = race(
        [bench.contender("docker run", command), _ours(bench, named), _ours(bench, made)], bench.repetitions
    )
    yield Row(
        what="echo in a container: over `docker run`",
        ours=seconds(ours),
        against=f"{bare.name} {seconds(bare)}",
        figure=ours.seconds - bare.seconds,
        unit="s",
        limit=OVERHEAD_LIMIT,
    )
    yield Row(
        what="echo in a container: what an image adds that is to be built, its source unchanged",
        ours=seconds(built),
        against=f"named {seconds(ours)}",
        figure=built.seconds - ours.seconds,
        unit="s",
        limit=BUILD_LIMIT,
    )


def _ours(bench: Bench, project: Path) -> Contender:
    return bench.contender(f"mlproj, {project.name}", (MLPROJ, "run", str(project)))


def _projects(folder: Path) -> tuple[Path, Path]:
    """One that names its image, and one that has it built out of a thousand files."""
    named, made = folder / "named", folder / "made"
    for project in (named, made):
        project.mkdir()
    (named / "MLproject").write_text(f"name: named\ndocker_env: {BUSYBOX}\n{_MAIN}")
    (made / "MLproject").write_text(f"name: made\ndocker_env: {{dockerfile: Dockerfile}}\n{_MAIN}")
    (made / "Dockerfile").write_text(f"FROM {BUSYBOX}\nCOPY data /data\n")
    (made / "data").mkdir()
    for number in range(1000):
        (made / "data" / str(number)).write_text(f"{number}\n" * 1000)
    return named, made


CASES: dict[str, Case] = {"containers": containers}
