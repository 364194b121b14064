"""The entrance: everything that MLflow's clients need of a store, over the database that it has open."""

from __future__ import annotations

from mlproj.store.folder import FolderStore
from mlproj.store.tracking.engine import Database
from mlproj.store.tracking.experiments import StoredExperiments
from mlproj.store.tracking.models import StoredModels
from mlproj.store.tracking.registry import StoredRegistry
from mlproj.store.tracking.runs import StoredRuns
from mlproj.store.tracking.traces import StoredTraces


class StoredTracking:
    """The `Tracking` of a store. May be used from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.experiments = StoredExperiments(database)
        self.runs = StoredRuns(database)
        self.models = StoredModels(database)
        self.registry = StoredRegistry(database)
        self.traces = StoredTraces(database)

    def close(self) -> None:
        self._database.close()


def open_tracking(store: FolderStore) -> StoredTracking:
    """Serves tracking from the store, which stays open as long."""
    return StoredTracking(Database(store))
