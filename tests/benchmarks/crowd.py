"""Clients in processes of their own that log at once, by bare requests, and tells how long it took them.

    python -m tests.benchmarks.crowd URI CLIENTS TIMES POINTS

Each logs to a run of its own, so many TIMES so many POINTS of a metric. It prints the seconds from when all
are ready to when all are done.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

_API = "/api/2.0/mlflow"


def asked(connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> Any:
    connection.request("POST", f"{_API}/{path}", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {told[:500]!r}")
    return json.loads(told)


def log(uri: str, times: int, points: int, ready: int, go: int) -> None:
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    run_id = asked(connection, "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"][
        "run_id"
    ]
    os.write(ready, b".")
    os.read(go, 1)
    for first in range(0, times * points, points):
        metrics = [
            {"key": "loss", "value": 0.5, "timestamp": step, "step": step}
            for step in range(first, first + points)
        ]
        if points == 1:
            asked(connection, "runs/log-metric", {"run_id": run_id, **metrics[0]})
        else:
            asked(connection, "runs/log-batch", {"run_id": run_id, "metrics": metrics})


def main(uri: str, clients: int, times: int, points: int) -> int:
    told, ready = os.pipe()
    wait, go = os.pipe()
    for _ in range(clients):
        if not os.fork():
            log(uri, times, points, ready, wait)
            os._exit(0)
    for _ in range(clients):
        os.read(told, 1)
    began = time.perf_counter()
    os.write(go, b"." * clients)
    failed = sum(os.wait()[1] != 0 for _ in range(clients))
    print(time.perf_counter() - began)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
