"""How many requests for predictions a served model answers, beside `mlflow models serve` of the same one."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.benchmarks.contest import Bench, Case, Rows
from tests.benchmarks.table import NotMeasured, Row
from tests.scoring import making
from tests.scoring.servers import mlflow_serving, program, serving

CLIENTS = (1, 8, 200)
ROUND = 400
"""Requests in a round of all clients together."""
AT_LEAST = 1.0
BODY = json.dumps({"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1.5, 2, "u"]] * 10}}).encode()
WITH_MLFLOW = frozenset({"scoring"})


def scoring(bench: Bench) -> Rows:
    """Ten rows in each request; one process each, in the same environment."""
    what = "scored requests, {} clients: over mlflow models serve"
    if bench.mlflow is None:
        yield from (
            NotMeasured(what=what.format(clients), reason="there is no mlflow") for clients in CLIENTS
        )
        return
    python, folder = Path(bench.mlflow).parent / "python", bench.arena.folder / "scoring"
    folder.mkdir()
    subprocess.run((python, making.__file__, folder / "model"), check=True, capture_output=True)
    model = folder / "model"
    with (
        serving(program(python, model), folder / "ours.log") as ours,
        mlflow_serving(python, model, folder / "theirs.log") as theirs,
    ):
        for clients in CLIENTS:
            rounds = [(_rate(ours, clients), _rate(theirs, clients)) for _ in range(bench.repetitions)]
            own, other = (median(rates) for rates in zip(*rounds, strict=True))
            yield Row(
                what=what.format(clients),
                ours=f"{own:.0f}/s",
                against=f"mlflow {other:.0f}/s",
                figure=own / other,
                unit="x",
                limit=AT_LEAST,
                at_least=True,
            )


def _rate(address: str, clients: int) -> float:
    """Requests in a second, over connections that stay."""
    each = max(1, ROUND // clients)
    with ThreadPoolExecutor(clients) as crowd:
        begun = time.perf_counter()
        for done in [crowd.submit(_ask, address, each) for _ in range(clients)]:
            done.result()
        return clients * each / (time.perf_counter() - begun)


def _ask(address: str, times: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=300)
    for _ in range(times):
        connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
    connection.close()


CASES: dict[str, Case] = {"scoring": scoring}
