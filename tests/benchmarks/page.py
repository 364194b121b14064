"""What the page takes with 10,000 runs, a third below others, and a million points: from the server, and in a
browser."""

from __future__ import annotations

import contextlib
import html
import math
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from playwright.sync_api import sync_playwright

from mlproj.model.tracking import PARENT, Batch, Metric, NewRun, RunStatus
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

_NUMBER = "(SELECT number FROM runs WHERE run_id = ?)"
_COPIED_POINTS = (
    "INSERT INTO metric_points (run, key, step, timestamp, value, nan) "
    f"SELECT {_NUMBER}, key, step, timestamp, value, nan FROM metric_points WHERE run = {_NUMBER}"
)


def page(bench: Bench) -> Rows:
    """The table of runs, nested, filtered and sorted, a run with a long curve, and three such compared."""
    store = bench.arena.folder / "page"
    long = _fill(store)
    runs, run = "/experiments/0", f"/runs/{long[0]}"
    those = "&".join(f"run={run_id}" for run_id in long)
    with _ui(bench, store) as site:
        looks = {
            f"the page of {RUNS:,} runs, with those below them": (runs, "tbody .level-1"),
            "the same, each by itself": (f"{runs}?nested=no", "tbody tr"),
            "the same, sorted by a metric": (f"{runs}?sort=metrics.rmse", "tbody tr"),
            "its last page": (_last(site, f"{runs}?limit=200&sort=metrics.rmse"), "tbody tr"),
            "the same, filtered and sorted": (
                f"{runs}?filter=metrics.loss+%3C+0.5&sort=metrics.rmse",
                "tbody tr",
            ),
            f"the page of a run with {POINTS:,} points": (run, "path.js-line"),
            "three such runs compared": (f"/compare?{those}", "[data-curve] path.js-line"),
        }
        for what, (path, _) in looks.items():
            yield _row(f"{what}, from the server", _taken(bench, partial(_asked, site, path)), ANSWERED)
        curves = partial(_asked, site, f"/curves?{those}&key=loss")
        yield _row("their curves, from the server", _taken(bench, curves), ANSWERED)
        yield from _in_browser(bench, site, looks)


def _last(site: str, path: str) -> str:
    """The last of the pages that begin there."""
    while True:
        with urllib.request.urlopen(f"{site}{path}") as answer:
            following = re.search(r'rel="next" href="([^"]+)"', answer.read().decode())
        if following is None:
            return path
        path = html.unescape(following[1])


def _in_browser(bench: Bench, site: str, looks: dict[str, tuple[str, str]]) -> Rows:
    found = shutil.which("chromium")
    if found is None:
        yield NotMeasured(what="the page in a browser", reason="chromium is not here")
        return
    own: dict[str, str | float | bool] = {**os.environ, "HOME": str(bench.arena.folder)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"], env=own
        )
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


def _fill(root: Path) -> tuple[str, ...]:
    """Makes the store; the ids of the runs with all the points."""
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
    return (run_id, *_deepen(root / FILE, run_id))


def _deepen(database: Path, run_id: str) -> list[str]:
    """Puts a third of the runs below others, and the points of the run into two more; these two."""
    with closing(sqlite3.connect(database)) as connection, connection:
        ids = [found for (found,) in connection.execute("SELECT run_id FROM runs ORDER BY number")]
        others, count = ids[-2:], RUNS // 3
        below = ((each, PARENT, ids[-1 - place % 500]) for place, each in enumerate(ids[1:count]))
        connection.executemany("INSERT INTO tags (run_id, key, value) VALUES (?, ?, ?)", below)
        for other in others:
            connection.execute(_COPIED_POINTS, (other, run_id))
            counted = "UPDATE latest_metrics SET count = ? WHERE run_id = ? AND key = 'loss'"
            connection.execute(counted, (POINTS, other))
    return others


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
