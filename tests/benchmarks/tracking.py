"""What logging costs, beside `mlflow server` with its default store, by the same client, in turns.

What that client takes for itself is measured with a server that answers at once. Of a single point it is half
of a call; of a batch of 1,000 it is most of one, and hides the server: there the limit is read on bare
requests, and what the client makes of it is shown.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from mlproj.services.hook import FOLDER
from tests.benchmarks.arena import MLPROJ
from tests.benchmarks.contest import Bench, Case, Rows, seconds
from tests.benchmarks.many_runs import MLFLOWS, OURS, multiply
from tests.benchmarks.measure import race
from tests.benchmarks.serving import (
    Client,
    Times,
    client_of,
    mlflow_server,
    no_server,
    our_server,
    python_of,
    taking_turns,
)
from tests.benchmarks.table import NotMeasured, Row, amount

TIMES_FASTER = 5.0
RUNS = 10_000
GIBIBYTE = 1 << 30
MEMORY_LIMIT = 150.0
AS_FAST = 1.0
AS_FAST_WITH_CLIENT = 1.1
"""The client takes longer than either server, and no two of its downloads the same time."""
LOGGING_LIMIT = 0.5
HOOK_LIMIT = 0.010
IDLE_LIMIT = 0.010
MILLION = 1_000_000
BATCH = 1000
PAGE = 25_000
NO_MLFLOW = "mlflow could not be installed"

PROJECT = """\
name: logging
entry_points:
  log: {command: "python train.py log"}
  nothing: {command: "python train.py nothing"}
  idle: {command: "echo"}
"""
SCRIPT = """\
import sys

import mlflow

if sys.argv[1] == "log":
    mlflow.log_metric("loss", 0.5)
"""


def logging(bench: Bench) -> Rows:
    """Points one by one, and a thousand at once."""
    if bench.mlflow is None:
        yield NotMeasured(what="log_metric and log_batch, beside mlflow server", reason=NO_MLFLOW)
        return
    with _contenders(bench, "logging", alone=True) as clients:
        for act, times in (("log_metric", 50), ("log_batch", 5)):
            rounds = 2 * bench.repetitions
            by_client = taking_turns(clients, act, rounds=rounds, times=times)
            bare = taking_turns(clients[:2], f"bare_{act}", rounds=rounds, times=times)
            on_client = act == "log_metric"
            yield from _faster(f"{act} by MLflow's client", by_client, limited=on_client)
            yield from _faster(f"{act} by bare requests", bare, limited=not on_client)


def searching(bench: Bench) -> Rows:
    """The runs whose metric is below a value, by another one, among ten thousand."""
    what = f"search_runs over {RUNS:,} runs"
    if bench.mlflow is None:
        yield NotMeasured(what=f"{what}, beside mlflow server", reason=NO_MLFLOW)
        return
    with _contenders(bench, "searching") as clients:
        for client, schema in zip(clients, (OURS, MLFLOWS), strict=True):
            _, template = client.do("template", values=5)
            assert client.server.database is not None
            multiply(client.server.database, schema, template, RUNS - 1)
        for most in (100, 1000):
            asked: dict[str, Any] = {
                "filter_string": "metrics.metric0 < 0.5",
                "order_by": ["metrics.metric1 DESC"],
                "max_results": most,
            }
            assert all(client.do("bare_search", **asked)[1] == most for client in clients)
            rounds = bench.repetitions
            by_client = taking_turns(clients, "search", rounds=rounds, times=1, **asked)
            bare = taking_turns(clients, "bare_search", rounds=rounds, times=1, **asked)
            yield from _faster(f"{what}, {most} told, by MLflow's client", by_client, names=("p50",))
            yield from _faster(f"{what}, {most} told, by bare requests", bare, names=("p50",), limited=False)


def artifacts(bench: Bench) -> Rows:
    """A file of a gibibyte through the server, there and back."""
    if bench.mlflow is None:
        yield NotMeasured(what="1 GiB up and down, beside mlflow server", reason=NO_MLFLOW)
        return
    with _contenders(bench, "artifacts") as clients:
        file = bench.arena.folder / "artifacts" / "gibibyte.bin"
        with file.open("wb") as written:
            for _ in range(GIBIBYTE >> 20):
                written.write(bytes(1 << 20))
        back = file.with_name("back")
        acts: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("up, by MLflow's client", "upload", {"file": str(file)}),
            ("down, by MLflow's client", "download", {"name": file.name, "folder": str(back)}),
            ("up, by bare requests", "bare_upload", {"file": str(file)}),
            ("down, by bare requests", "bare_download", {"name": file.name}),
        )
        taken: dict[tuple[str, str], list[float]] = {}
        for _, (client, (_, act, given)) in product(range(bench.slow_repetitions), product(clients, acts)):
            taken.setdefault((client.server.name, act), []).extend(client.do(act, **given)[0])
            if back.exists():
                assert (back / file.name).stat().st_size == GIBIBYTE
                shutil.rmtree(back)
        for what, act, _ in acts:
            ours, mlflow = (statistics.median(taken[client.server.name, act]) for client in clients)
            yield Row(
                what=f"1 GiB {what}: of mlflow server's time",
                ours=amount(ours, "s"),
                against=f"mlflow {amount(mlflow, 's')}",
                figure=ours / mlflow,
                unit="x",
                limit=AS_FAST if act.startswith("bare") else AS_FAST_WITH_CLIENT,
            )
        yield _peak("1 GiB up and down: peak memory of the server", clients[0])


def points(bench: Bench) -> Rows:
    """A million points of one metric: logged a thousand at a time, read page by page, and thinned out."""
    if bench.mlflow is None:
        yield NotMeasured(what="a million points", reason=NO_MLFLOW)
        return
    environ = bench.arena.environ
    with (
        our_server(bench.arena.folder / "points", environ) as server,
        client_of(server, bench.mlflow, environ) as client,
    ):
        for what, act, times, given in (
            ("logged by batches of 1,000", "bare_log_batch", MILLION // BATCH, {"key": "loss"}),
            ("read by pages of 25,000", "history_page", MILLION // PAGE, {"key": "loss", "limit": PAGE}),
            ("thinned out to 2,500", "thinned", 1, {"key": "loss", "most": 2500}),
        ):
            taken, _ = client.do(act, times, **given)
            each = sorted(taken)[len(taken) // 2]
            yield Row(
                what=f"a million points of a metric, {what}",
                ours=amount(sum(taken), "s"),
                against=f"a call {amount(each, 's')}",
                figure=sum(taken),
                unit="s",
            )
        yield _peak("a million points of a metric: peak memory of the server", client)


def script(bench: Bench) -> Rows:
    """What a run's script pays: for one metric, for the hook, and for an endpoint that it never calls."""
    project = bench.arena.folder / "script"
    project.mkdir()
    (project / "MLproject").write_text(PROJECT)
    (project / "train.py").write_text(SCRIPT)
    yield from _idle(bench, project)
    yield from _hook(bench)
    if bench.mlflow is None:
        yield NotMeasured(what="a run whose script logs one metric", reason=NO_MLFLOW)
    else:
        yield from _one_metric(bench, bench.mlflow, project)


def _one_metric(bench: Bench, mlflow: str, project: Path) -> Rows:
    """The same script with and without the call, both with `import mlflow`; and likewise without mlproj."""
    python = python_of(mlflow)
    path = f"{Path(python).parent}:{bench.arena.environ['PATH']}"
    environ = {**_without_uri(bench), "PATH": path}
    with mlflow_server(mlflow, bench.arena.folder / "script-server", environ) as server:
        there = {**environ, "MLFLOW_TRACKING_URI": server.uri}
        run = (MLPROJ, "run", str(project), "--env-manager", "local", "-e")
        contenders = [
            replace(bench.contender(name, command), environ=given, directory=project)
            for name, command, given in (
                ("logged", (*run, "log"), environ),
                ("untracked", (*run, "nothing", "--no-tracking"), environ),
                ("mlflow logged", (python, "train.py", "log"), there),
                ("mlflow nothing", (python, "train.py", "nothing"), there),
            )
        ]
        logged, untracked, mlflow_logged, mlflow_nothing = race(contenders, bench.slow_repetitions)
    theirs = mlflow_logged.seconds - mlflow_nothing.seconds
    yield Row(
        what="a run that logs one metric: over the same without it, `--no-tracking`",
        ours=seconds(logged),
        against=f"without {seconds(untracked)}; a script to mlflow server: +{amount(theirs, 's')}",
        figure=logged.seconds - untracked.seconds,
        unit="s",
        limit=LOGGING_LIMIT,
    )


def _idle(bench: Bench, project: Path) -> Rows:
    # A few milliseconds are less than what medians differ by on a busy machine: the least times are compared.
    run = (MLPROJ, "run", str(project), "--env-manager", "local", "-e", "idle")
    environ = _without_uri(bench)
    tracked, untracked = race(
        [
            replace(bench.contender("tracked", run), environ=environ),
            replace(bench.contender("untracked", (*run, "--no-tracking")), environ=environ),
        ],
        3 * bench.repetitions,
    )
    what = "an endpoint that nobody calls: over `--no-tracking`"
    yield Row(
        what=what,
        ours=amount(tracked.least, "s"),
        against=f"without {amount(untracked.least, 's')}",
        figure=tracked.least - untracked.least,
        unit="s",
        limit=IDLE_LIMIT,
    )
    yield Row(
        what=f"{what}, memory",
        ours=amount(tracked.peak_mib, "MiB"),
        against=f"without {amount(untracked.peak_mib, 'MiB')}",
        figure=tracked.peak_mib - untracked.peak_mib,
        unit="MiB",
    )


def _hook(bench: Bench) -> Rows:
    bare = bench.contender("without", (sys.executable, "-c", ""))
    hooked = replace(
        bare,
        name="hooked",
        environ={
            **bare.environ,
            "PYTHONPATH": str(FOLDER),
            "MLPROJ_RUN_ID": "0" * 32,
            "MLPROJ_TRACKING_URI": "http://127.0.0.1:1",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        },
    )
    ours, without = race([hooked, bare], 10 * bench.repetitions)
    yield Row(
        what="the hook, for a Python that does not import mlflow",
        ours=amount(ours.least, "s"),
        against=f"without {amount(without.least, 's')}",
        figure=ours.least - without.least,
        unit="s",
        limit=HOOK_LIMIT,
    )


def _without_uri(bench: Bench) -> dict[str, str]:
    return {name: value for name, value in bench.arena.environ.items() if name != "MLFLOW_TRACKING_URI"}


@contextlib.contextmanager
def _contenders(bench: Bench, name: str, *, alone: bool = False) -> Iterator[list[Client]]:
    """A client of ours, one of `mlflow server`, and with `alone` one whose server takes no time."""
    assert bench.mlflow is not None
    folder, environ = bench.arena.folder / name, bench.arena.environ
    folder.mkdir()
    with contextlib.ExitStack() as held:
        servers = [
            held.enter_context(our_server(folder / "store", environ)),
            held.enter_context(mlflow_server(bench.mlflow, folder / "mlflow", environ)),
        ]
        if alone:
            servers.append(held.enter_context(no_server(environ)))
        yield [held.enter_context(client_of(server, bench.mlflow, environ)) for server in servers]


def _faster(
    what: str, times: tuple[Times, ...], *, limited: bool = True, names: tuple[str, ...] = ("p50", "p99")
) -> Rows:
    ours, mlflow, *others = times
    for name in names:
        mine, theirs = getattr(ours, name), getattr(mlflow, name)
        alone = "".join(f", client alone {amount(getattr(other, name), 'ms')}" for other in others)
        yield Row(
            what=f"{what}, {name}: times faster than mlflow server",
            ours=amount(mine, "ms"),
            against=f"mlflow {amount(theirs, 'ms')}{alone}",
            figure=theirs / mine,
            unit="x",
            limit=TIMES_FASTER if limited else None,
            at_least=True,
        )


def _peak(what: str, client: Client) -> Row:
    peak = client.server.peak_mib()
    return Row(what=what, ours=amount(peak, "MiB"), figure=peak, unit="MiB", limit=MEMORY_LIMIT)


CASES: dict[str, Case] = {
    "logging": logging,
    "searching": searching,
    "artifacts": artifacts,
    "points": points,
    "script": script,
}
WITH_MLFLOW = frozenset(CASES)
