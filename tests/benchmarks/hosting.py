"""`mlproj server` beside `mlflow server`, each with 4 workers: how soon it answers, and how much."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import platformdirs

from tests.benchmarks.arena import MLPROJ, ROOT, UV
from tests.benchmarks.contest import Bench, Case, Rows
from tests.benchmarks.serving import Server, free_port, mlflow_server, python_of
from tests.benchmarks.table import NotMeasured, Row, amount
from tests.benchmarks.tracking import NO_MLFLOW, TIMES_FASTER
from tests.databases import present, started

START_LIMIT = 1.0
CLIENTS = 8
_LOOK = 0.002
_ANSWERED = "api/2.0/mlflow/experiments/get?experiment_id=0"


def server(bench: Bench) -> Rows:
    """From the command to the first answer, in a new store; and what several clients at once have of it."""
    folder = bench.arena.folder / "hosting"
    starts = []
    for number in range(bench.repetitions):
        began = time.perf_counter()
        with our_server(bench, folder / str(number)):
            starts.append(time.perf_counter() - began)
    yield Row(
        what="mlproj server: from its start to the first answer, new store, 4 workers",
        ours=amount(statistics.median(starts), "s"),
        figure=statistics.median(starts),
        unit="s",
        limit=START_LIMIT,
    )
    yield from throughput(bench, "SQLite")
    yield from _with_postgresql(bench)


def _with_postgresql(bench: Bench) -> Rows:
    """The same crowd where both keep things in a PostgreSQL that really writes."""
    what = "PostgreSQL"
    driver = None if bench.mlflow is None else _driver(bench.mlflow)
    if driver is None or not present("postgresql"):
        reason = "no PostgreSQL, or no driver of it for mlflow, is there"
        yield NotMeasured(what=f"{CLIENTS} clients at once, beside mlflow server on {what}", reason=reason)
        return
    with started("postgresql", synced=True) as keeper:
        uri = keeper.uri().replace("postgresql:", "postgresql+psycopg:")
        yield from throughput(
            bench,
            what,
            ours=("--backend-store-uri", keeper.uri()),
            mlflows=("--backend-store-uri", uri),
            variables={"PYTHONPATH": str(driver)},
        )


def _driver(mlflow: str) -> Path | None:
    """A folder with the driver of PostgreSQL for the Python that has mlflow, which may lack it."""
    folder = Path(platformdirs.user_cache_dir("mlproj-bench")) / "psycopg"
    install = (UV, "pip", "install", "--quiet", "--python", str(python_of(mlflow)), "--target", str(folder))
    done = subprocess.run((*install, "psycopg[binary]"), stdout=sys.stderr)
    return folder if done.returncode == 0 else None


def throughput(
    bench: Bench,
    what: str,
    ours: Sequence[str] = (),
    mlflows: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Rows:
    """Both under the same crowd, in turns; the options name the databases that they keep things in, and the
    variables are mlflow's."""
    if bench.mlflow is None:
        yield NotMeasured(what=f"{CLIENTS} clients at once, beside mlflow server on {what}", reason=NO_MLFLOW)
        return
    folder = bench.arena.folder / f"throughput-{what}"
    with (
        our_server(bench, folder / "ours", *ours) as our,
        mlflow_server(
            bench.mlflow, folder / "mlflow", {**bench.arena.environ, **(variables or {})}, *mlflows
        ) as mlflow,
    ):
        for points, times in ((1, 50), (1000, 3)):
            taken: dict[str, list[float]] = {our.name: [], mlflow.name: []}
            for contender in (our, mlflow) * (1 + bench.slow_repetitions):
                taken[contender.name].append(_crowd(contender, times, points))
            # The first time each of them loads what it needs.
            mine, theirs = (statistics.median(taken[name][1:]) for name in (our.name, mlflow.name))
            calls = CLIENTS * times
            yield Row(
                what=f"{CLIENTS} clients at once, {points:,} points a call, 4 workers, {what}: times faster",
                ours=f"{calls / mine:,.0f} calls/s",
                against=f"mlflow {calls / theirs:,.0f} calls/s",
                figure=theirs / mine,
                unit="x",
                limit=TIMES_FASTER,
                at_least=True,
            )


@contextlib.contextmanager
def our_server(bench: Bench, folder: Path, *options: str) -> Iterator[Server]:
    """`mlproj server` as it is without options, but for the port and those that are given."""
    folder.mkdir(parents=True)
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            (MLPROJ, "server", "--port", str(port), *options),
            cwd=folder,
            env={**bench.arena.environ, "MLPROJ_STORE": str(folder / "store")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{uri}/{_ANSWERED}").close()
                break
            time.sleep(_LOOK)
        yield Server(name="mlproj", uri=uri, run_id=None, process=process.pid)
    finally:
        process.terminate()
        process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _crowd(contender: Server, times: int, points: int) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.crowd", contender.uri)
    numbers = map(str, (CLIENTS, times, points))
    done = subprocess.run((*command, *numbers), cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"clients of {contender.name} failed: {done.stderr[-2000:]}")
    return float(done.stdout)


CASES: dict[str, Case] = {"server": server}
WITH_MLFLOW = frozenset(CASES)
