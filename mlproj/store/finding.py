"""The half of a store in a folder that looks: runs by what they are called or hold, the chain, the lists."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from mlproj.errors import RunNotFound, StoreError
from mlproj.model.digest import Digest
from mlproj.model.record import Entry, EntryKind
from mlproj.model.registry import RunModels, Standing
from mlproj.model.run import Run
from mlproj.store import reading
from mlproj.store.database import quick_text
from mlproj.store.indexes import read_indexes
from mlproj.store.models import read_models, read_standings
from mlproj.store.opened import OpenedFolder
from mlproj.store.references import ids, newest, resolve
from mlproj.store_ports import Listed, RunQuery


class FolderReader(OpenedFolder):
    """Answers questions about the runs in a store. Runs that died are closed before they are told of."""

    def find(self, reference: str, within: frozenset[str] | None = None) -> Run:
        self._look_for_dead()
        with self._looking():
            run_id = resolve(self._connection, self._root, reference, within)
            return reading.read_run(self._connection, run_id, self._machine)

    def search(self, query: RunQuery) -> tuple[Run, ...]:
        self._look_for_dead()
        if not query.conditions and query.sort is None:
            matching = newest
        else:
            # SQLAlchemy takes longer to import than most commands take to run: only searching loads it.
            matching = importlib.import_module("mlproj.store.searching").matching
        with self._looking():
            run_ids = matching(self._connection, query, self._machine)
            return reading.read_runs(self._connection, run_ids, self._machine)

    def children(self, run_id: str) -> tuple[Run, ...]:
        self._look_for_dead()
        with self._looking():
            listed = "parent = ? AND NOT deleted AND NOT forgotten ORDER BY number"
            begun = ids(self._connection, listed, run_id)
            return reading.read_runs(self._connection, begun, self._machine)

    def models(self, run_id: str) -> RunModels:
        with self._looking():
            return read_models(self._connection, self._root, run_id)

    def listing(self) -> tuple[Listed, ...]:
        self._look_for_dead()
        with self._looking():
            return reading.read_listing(self._connection)

    def faults(self) -> tuple[str, ...]:
        with self._looking():
            return reading.read_faults(self._connection)

    def registry(self) -> tuple[Standing, ...]:
        with self._looking():
            return read_standings(self._connection)

    def experiment_of(self, run_id: str) -> str:
        with self._looking():
            return reading.read_experiment_of(self._connection, run_id)

    def experiment(self, identifier: str) -> str:
        with self._looking():
            name = reading.read_experiment(self._connection, identifier)
        if name is None:
            raise StoreError(
                f"there is no experiment with the id `{identifier}`",
                hint="name it with `--experiment-name`, which makes it if need be",
            )
        return name

    def entries(
        self, *kinds: EntryKind, after: int | None = None, run_id: str | None = None
    ) -> Iterator[Entry]:
        while True:
            with self._looking():
                batch = reading.read_entries(self._connection, after=after, kinds=kinds, run_id=run_id)
            if not batch:
                return
            yield from batch
            after = batch[-1].sequence

    def head(self) -> tuple[int, Digest]:
        with self._looking():
            return reading.read_head(self._connection)

    def index(self, run_id: str) -> Mapping[str, object]:
        found = self.indexes((run_id,))
        if run_id not in found:
            raise RunNotFound(f"there is no run `{run_id}`")
        return found[run_id]

    def indexes(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        with self._looking():
            with contextlib.suppress(sqlite3.OperationalError), quick_text(self._connection):
                return read_indexes(self._connection, run_ids)
            return read_indexes(self._connection, run_ids)
