"""A program that begins a run in a store, with a child, and logs to both until it is killed:
`python -m tests.store.tracking.logger STORE`. It says what was answered: run, child and step."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from mlproj.model.tracking import Batch, Metric, NewRun
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.store.runs import begun


def main(path: str) -> None:
    store = open_store(Path(path), create=False)
    runs = open_tracking(store).runs
    run = begun(store.blobs)
    with store.begin(run):
        child = runs.create(
            NewRun(experiment_id="0", name="child", user="ada", started=0, parent=run.run_id)
        ).run_id
        for step in itertools.count():
            for run_id in (run.run_id, child):
                point = Metric(key="loss", value=1 / (step + 1), step=step, timestamp=step)
                runs.log(run_id, Batch(metrics=(point,)))
            sys.stdout.write(f"{run.run_id} {child} {step}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
