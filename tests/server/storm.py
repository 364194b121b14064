"""Clients in processes of their own that log to one run at once: a quarter of the points singly, then more.

A program of its own, run by the client's Python with `MLFLOW_TRACKING_URI` set, and with nothing of ours:

    storm.py RUN_ID CLIENTS POINTS

Client number N logs the metric `mN`, and writes to `client-N` how many points were acknowledged. They are
forked once MLflow is loaded, which takes longer than what they log.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# Where this file is checked there is none.
entities: Any = import_module("mlflow.entities")
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

BATCH = 100
FIRST_MS = 1_700_000_000_000


def log(run_id: str, number: int, count: int) -> None:
    client, key = MlflowClient(), f"m{number}"
    alone = count // 4
    with open(f"client-{number}", "w", buffering=1) as told:
        for step in range(alone):
            client.log_metric(run_id, key, step / 2, timestamp=FIRST_MS + step, step=step)
            told.write(f"{step + 1}\n")
        for first in range(alone, count, BATCH):
            steps = range(first, min(first + BATCH, count))
            points = [entities.Metric(key, step / 2, FIRST_MS + step, step) for step in steps]
            client.log_batch(run_id, metrics=points)
            told.write(f"{steps.stop}\n")


def main(run_id: str, clients: int, points: int) -> int:
    """How many clients failed."""
    pids = []
    for number in range(clients):
        pid = os.fork()
        if not pid:
            log(run_id, number, points)
            os._exit(0)
        pids.append(pid)
    return sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
