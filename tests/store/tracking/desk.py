"""A store and the tracking over it, as the tests here use them."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from pathlib import Path

from mlproj.model.logged import Logged
from mlproj.model.record import EntryKind
from mlproj.model.run import Run
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    Metric,
    ModelOutput,
    NewRun,
)
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import StoredTracking, open_tracking

START = 1_700_000_000_000


READ = DatasetInput(
    dataset=Dataset(
        name="wine", digest="9a8b", source_type="local", source="{}", schema='{"é": 1}', profile="{}"
    ),
    tags=(("mlflow.data.context", "training"),),
)


class Desk:
    """A store and the tracking over it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store: FolderStore = open_store(root, create=True)
        self.tracking: StoredTracking = open_tracking(self.store)

    def close(self) -> None:
        self.tracking.close()
        self.store.close()

    def reopen(self) -> None:
        """As another process would find it."""
        self.close()
        self.store = open_store(self.root, create=False)
        self.tracking = open_tracking(self.store)

    def child(self, owner: Run, name: str = "child") -> str:
        new = NewRun(experiment_id="0", name=name, user="ada", started=START, parent=owner.run_id)
        return self.tracking.runs.create(new).run_id

    def execute(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.root / "store.db")) as connection, connection:
            connection.execute(statement, values)

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.store.entries()]

    def logged(self, run_id: str) -> Logged:
        outcome = self.store.find(run_id).outcome
        assert outcome is not None
        assert outcome.logged is not None
        return outcome.logged


def point(key: str, value: float, step: int = 0) -> Metric:
    return Metric(key=key, value=value, step=step, timestamp=START + step)


def log_everything(desk: Desk, run_id: str) -> None:
    """One of each thing that can be logged."""
    runs = desk.tracking.runs
    points = (point("loss", 0.5), point("loss", 0.25, 1), point("odd", math.nan), point("odd", math.inf, 1))
    runs.log(run_id, Batch(metrics=points, params=(("depth", "3"),), tags=(("team", "red"),)))
    runs.log_inputs(run_id, (READ,), ("m-1",))
    runs.log_outputs(run_id, (ModelOutput(model_id="m-2", step=4),))
