"""What was made elsewhere arrives in the tables and the chain, under its own ids and with its own times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from mlproj.errors import RunNotFound
from mlproj.model.moment import milliseconds, moment_of
from mlproj.model.record import EntryKind, read_import
from mlproj.model.registry import ModelVersion, RegisteredModel
from mlproj.model.tracking import Experiment, Lifecycle, LoggedModel, Metric, Pairs, TrackedRun
from mlproj.moving_ports import MODELS, TakenModel
from mlproj.store.folder import FolderStore
from mlproj.store.keeping import keep_outputs
from mlproj.store.place import Place
from mlproj.store.tables import entries, experiments, runs
from mlproj.store.tracking.arriving_models import add_measured, add_model, add_registered
from mlproj.store.tracking.arriving_runs import Arriving, seal_arriving
from mlproj.store.tracking.engine import Database, raw, storable
from mlproj.store.tracking.experiments import runs_uri
from mlproj.store.tracking.pairs import pairs_of, put_pairs
from mlproj.store.tracking_tables import experiment_tags


class StoredArrivals:
    """The `Arrivals` of a store."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._database = Database(store)

    def experiment(self, experiment: Experiment) -> tuple[str, bool]:
        storable(experiment.name, *(text for pair in experiment.tags for text in pair))
        with self._database.writing() as connection:
            row = _row(connection, experiment.name)
            if row is not None:
                _add_tags(connection, row.id, experiment.tags, over=_changed(row) < experiment.updated)
                return str(row.id), False
            created = moment_of(experiment.created, self._database.now())
            updated = moment_of(experiment.updated, created)
            values = {"name": experiment.name, "created": created, "updated": updated}
            connection.execute(insert(experiments).values(**values))
            number = _row(connection, experiment.name).id
            _add_tags(connection, number, experiment.tags, over=True)
            return str(number), True

    def settle(self, experiment: Experiment, experiment_id: str) -> bool:
        with self._database.writing() as connection:
            row = _row(connection, experiment.name)
            if experiment.lifecycle is not Lifecycle.DELETED or row is None or row.deleted:
                return True
            if _changed(row) > experiment.updated or _has_own_runs(connection, row.id):
                return False
            moment = moment_of(experiment.updated, self._database.now())
            connection.execute(update(experiments).where(experiments.c.id == row.id).values(deleted=True))
            listed = update(runs).where(runs.c.experiment_id == row.id, runs.c.deleted.is_(False))
            connection.execute(listed.values(deleted=True, hidden_at=moment))
            return True

    def document(self, run_id: str) -> bytes | None:
        of_run = (entries.c.run_id == run_id, entries.c.kind == EntryKind.IMPORT.value)
        with self._database.reading() as connection:
            if connection.execute(select(runs.c.number).where(runs.c.run_id == run_id)).first() is None:
                raise RunNotFound(f"there is no run `{run_id}`")
            payload = connection.execute(select(entries.c.payload).where(*of_run)).scalar()
        if payload is None:
            return None
        imported = read_import(payload, name="").imported
        assert imported is not None, "an import says where it came from"
        return self._store.blobs.path(imported.document).read_bytes()

    def run(
        self, run: TrackedRun, points: Iterable[Metric], *, experiment_id: str, origin: str, document: bytes
    ) -> None:
        storable(run.run_id, run.name, run.user, origin)
        with self._store.lease():  # the content comes before the row that names it
            digest = self._store.blobs.add_bytes(document)
            with self._database.reading() as connection:
                left = keep_outputs(self._place(connection), run.run_id)
            arriving = Arriving(run=run, origin=origin, document=digest, left=left)
            with self._database.writing() as connection:
                place, now = self._place(connection), self._database.now()
                seal_arriving(connection, place, arriving, points, now=now, under=int(experiment_id))

    def model(self, model: LoggedModel, experiment_id: str) -> bool:
        with self._database.writing() as connection:
            address = self.address(MODELS, model.model_id)
            return add_model(connection, self._database.root, model, int(experiment_id), address)

    def measured(self, model: LoggedModel) -> None:
        with self._database.writing() as connection:
            add_measured(connection, model)

    def registered(self, model: RegisteredModel, versions: Sequence[ModelVersion]) -> TakenModel:
        with self._database.writing() as connection:
            now = self._database.now()
            return add_registered(connection, self._database.root, model, versions, now)

    def address(self, kind: str, name: str) -> str:
        root = self._database.root
        return f"{f'{root.as_uri()}/{MODELS}' if kind == MODELS else runs_uri(root)}/{name}/artifacts"

    def close(self) -> None:
        self._database.close()

    def _place(self, connection: Connection) -> Place:
        database = self._database
        return Place(connection=raw(connection), root=database.root, blobs=database.blobs)


def _row(connection: Connection, name: str) -> Any:
    """The experiment of that name, for writing; None where there is none."""
    return connection.execute(select(experiments).where(experiments.c.name == name).with_for_update()).first()


def _has_own_runs(connection: Connection, number: int) -> bool:
    """Whether an experiment holds runs that did not arrive from elsewhere."""
    arrived = select(entries.c.sequence).where(entries.c.kind == EntryKind.IMPORT.value)
    own = or_(runs.c.sequence.is_(None), runs.c.sequence.not_in(arrived))
    return (
        connection.execute(select(runs.c.number).where(runs.c.experiment_id == number, own)).first()
        is not None
    )


def _changed(row: Any) -> int:
    """When an experiment was last changed here."""
    return milliseconds(row.updated or row.created) or 0


def _add_tags(connection: Connection, number: int, tags: Pairs, *, over: bool) -> None:
    """Adds the tags that are not there, and writes over those that are where it may."""
    known = dict(pairs_of(connection, experiment_tags, ["experiment_id"], [(number,)])[(number,)])
    new = tuple((key, value) for key, value in tags if over or key not in known)
    put_pairs(connection, experiment_tags, {"experiment_id": number}, new)
