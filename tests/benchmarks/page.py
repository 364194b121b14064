"""What the page takes with 10,000 runs and a million points: from the server, and in a browser."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from playwright.sync_api import sync_playwright

from mlproj.model.tracking import Batch, Metric, NewRun, RunStatus
from mlproj.store.database import FILE
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows
from tests.benchmarks.many_runs import OURS, multiply
from tests.benchmarks.table import NotMeasured, Row, amount

RUNS, POINTS, BATCH = 10_000, 1_000_000, 1000
ANSWERED, SHOWN = 0.3, 1.5
"""Seconds that the server, and a browser with it, may take."""


def page(bench: Bench) -> Rows:
    """The table of runs, filtered and sorted, and a run with a long curve."""
    store = bench.arena.folder / "page"
    run_id = _fill(store)
    runs, run = "/experiments/0", f"/runs/{run_id}"
    looks = {
        f"the page of {RUNS:,} runs": (runs, "tbody tr"),
        "the same, filtered and sorted": (
            f"{runs}?filter=metrics.loss+%3C+0.5&sort=metrics.rmse",
            "tbody tr",
        ),
        f"the page of a run with {POINTS:,} points": (run, "path.js-line"),
    }
    with _ui(bench, store) as site:
        for what, (path, _) in looks.items():
            yield _row(f"{what}, from the server", _taken(bench, partial(_asked, site, path)), ANSWERED)
        curve = partial(_asked, site, f"/curves?run={run_id}&key=loss")
        yield _row("its curve, from the server", _taken(bench, curve), ANSWERED)
        yield from _in_browser(bench, site, looks)


def _in_browser(bench: Bench, site: str, looks: dict[str, tuple[str, str]]) -> Rows:
    found = shutil.which("chromium")
    if found is None:
        yield NotMeasured(what="the page in a browser", reason="chromium is not here")
        return
    own: dict[str, str | float | bool] = {**os.environ, "HOME": str(bench.arena.folder)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], env=own)
        window = browser.new_page(base_url=site)

        def shown(path: str, until: str) -> None:
            window.goto(path)
            window.locator(until).first.wait_for(state="attached")

        for what, (path, until) in looks.items():
            taken = _taken(bench, partial(shown, path, until))
            yield _row(f"{what}, in a browser", taken, SHOWN)
        browser.close()


def _row(what: str, taken: float, limit: float) -> Row:
    return Row(what=what, ours=amount(taken, "s"), figure=taken, unit="s", limit=limit)


def _taken(bench: Bench, act: Callable[[], None]) -> float:
    """Seconds, the median; the first time counts as any other."""
    taken = []
    for _ in range(bench.repetitions):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _asked(site: str, path: str) -> None:
    with urllib.request.urlopen(f"{site}{path}") as answer:
        answer.read()


def _fill(root: Path) -> str:
    """Makes the store; the id of the run with all the points."""
    store = open_store(root, create=True)
    tracking = open_tracking(store)
    run_id = tracking.runs.create(NewRun(experiment_id="0", name="long", user="ada", started=1)).run_id
    params = tuple((f"param{number}", str(number)) for number in range(8))
    tracking.runs.log(run_id, Batch(params=params, metrics=(Metric(key="rmse", value=0.5, timestamp=1),)))
    for start in range(0, POINTS, BATCH):
        steps = range(start, start + BATCH)
        points = (
            Metric(key="loss", value=math.exp(-step / 1e5), timestamp=step + 1, step=step) for step in steps
        )
        tracking.runs.log(run_id, Batch(metrics=tuple(points)))
    # Once it has ended it has a place in the chain, which no other can have.
    multiply(root / FILE, OURS, run_id, RUNS - 1)
    tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=POINTS)
    tracking.close()
    store.close()
    return run_id


@contextlib.contextmanager
def _ui(bench: Bench, store: Path) -> Iterator[str]:
    command = (MLPROJ, "ui", "--port", "0", "--store", str(store))
    with subprocess.Popen(
        command, env=dict(bench.arena.environ), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().rstrip("/")
        finally:
            process.terminate()


CASES: dict[str, Case] = {"page": page}
