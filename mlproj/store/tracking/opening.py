"""The entrance: everything that MLflow's clients need of a store, over the database that it has open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mlproj.model.registry import Case
from mlproj.model.rules import Check
from mlproj.store.folder import FolderStore
from mlproj.store.tracking.engine import Database
from mlproj.store.tracking.experiments import StoredExperiments
from mlproj.store.tracking.models import StoredModels
from mlproj.store.tracking.registry import StoredRegistry
from mlproj.store.tracking.runs import StoredRuns
from mlproj.store.tracking.traces import StoredTraces
from mlproj.tracking_ports import Tracking

Judging = Callable[[Tracking, str, Case], Sequence[Check]]
"""How each of the rules in a text fares for a version."""


class StoredTracking:
    """The `Tracking` of a store. May be used from several threads."""

    def __init__(self, database: Database, judge: Judging | None) -> None:
        self._database = database
        self.experiments = StoredExperiments(database)
        self.runs = StoredRuns(database)
        self.models = StoredModels(database)
        self.registry = StoredRegistry(database, None if judge is None else partial(judge, self))
        self.traces = StoredTraces(database)

    def close(self) -> None:
        self._database.close()


def open_tracking(store: FolderStore, judge: Judging | None = None) -> StoredTracking:
    """Serves tracking from the store, which stays open as long. Where a model has rules, `judge` tells
    whether they hold; without it nothing is put into Production there."""
    return StoredTracking(Database(store), judge)
