"""A program that records runs in a store: `python -m tests.store.recorder STORE COUNT`, or one that it
begins and never ends: `python -m tests.store.recorder STORE hang`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mlproj.store.opening import open_store
from tests.store.runs import begun, ended


def main(path: str, task: str) -> None:
    store = open_store(Path(path), create=True)
    for number in range(1 if task == "hang" else int(task)):
        run = begun(store.blobs, alpha=float(number))
        with store.begin(run):
            if task == "hang":
                logs = store.workspace(run.run_id) / "logs"
                logs.mkdir()
                (logs / "stdout").write_bytes(b"so far\n")
                sys.stdout.write(f"{run.run_id}\n")
                sys.stdout.flush()
                time.sleep(60)
            store.seal(ended(store.blobs, run, stdout=b"run %d of many" % number))


if __name__ == "__main__":
    main(*sys.argv[1:])
