"""Experiments in the tables: names under which runs are kept, with tags."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.absent import no_experiment, no_experiment_named
from mlproj.model.moment import LAST_MOMENT, milliseconds, timestamp
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import Experiment, Lifecycle, Page, Pairs
from mlproj.store.tables import experiments, runs
from mlproj.store.tracking.amending import amend_name
from mlproj.store.tracking.engine import Database, held, storable
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking_tables import experiment_tags

_UPDATED = func.coalesce(experiments.c.updated, experiments.c.created)
_EXPERIMENTS = select(
    experiments.c.id,
    experiments.c.name,
    experiments.c.created,
    _UPDATED.label("updated"),
    experiments.c.deleted,
    experiments.c.artifact_location,
)


def _as_text(time: float) -> str:
    """Milliseconds as the moment that a column holds."""
    seconds = float(time) / 1000
    return timestamp(min(max(seconds, 0.0), LAST_MOMENT / 1000))


def number_searched(identifier: str) -> int:
    """An id as its column holds it; what can be none equals none."""
    number = experiment_number(identifier)
    return -1 if number is None else number


_COLUMNS = Columns(
    attributes={
        "name": experiments.c.name,
        "experiment_id": experiments.c.id,
        "creation_time": experiments.c.created,
        "last_update_time": _UPDATED,
    },
    details={
        Kind.TAG: Detail(table=experiment_tags, of={"experiment_id": experiments.c.id}),
    },
    last=(Last(experiments.c.created, descending=True), Last(experiments.c.id)),
    written={"experiment_id": number_searched, "creation_time": _as_text, "last_update_time": _as_text},
)


class StoredExperiments:
    """The `Experiments` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, *, artifact_location: str | None = None, tags: Pairs = ()) -> Experiment:
        storable(name, artifact_location, *(text for pair in tags for text in pair))
        with self._database.writing() as connection:
            _refuse_taken(connection, name)
            created = connection.execute(
                insert(experiments).values(
                    name=name, created=self._database.now(), artifact_location=artifact_location
                )
            )
            (number,) = created.inserted_primary_key or (None,)
            if tags:
                rows = [
                    {"experiment_id": number, "key": key, "value": value} for key, value in dict(tags).items()
                ]
                connection.execute(insert(experiment_tags), rows)
            return self._read(connection, _row(connection, str(number)))

    def get(self, experiment_id: str) -> Experiment:
        with self._database.reading() as connection:
            return self._read(connection, _row(connection, experiment_id))

    def named(self, name: str) -> Experiment:
        with self._database.reading() as connection:
            row = connection.execute(_EXPERIMENTS.where(experiments.c.name == name)).first()
            if row is None:
                raise no_experiment_named(name)
            return self._read(connection, row)

    def rename(self, experiment_id: str, name: str) -> None:
        storable(name)
        with self._database.writing() as connection:
            row = _row(connection, experiment_id, lock=True)
            if row.deleted:
                raise UsageError("Cannot rename a non-active experiment.")
            if row.name == name:
                return
            _refuse_taken(connection, name)
            now = self._database.now()
            changed = {"name": name, "updated": now}
            connection.execute(update(experiments).where(experiments.c.id == row.id).values(**changed))
            amend_name(connection, now, row.id, name, row.name)

    def set_lifecycle(self, experiment_id: str, lifecycle: Lifecycle) -> None:
        deleted = lifecycle is Lifecycle.DELETED
        with self._database.writing() as connection:
            row = _row(connection, experiment_id, lock=True)
            if bool(row.deleted) == deleted:
                raise no_experiment(experiment_id)
            now = self._database.now()
            changed = {"deleted": deleted, "updated": now}
            connection.execute(update(experiments).where(experiments.c.id == row.id).values(**changed))
            of_experiment = update(runs).where(runs.c.experiment_id == row.id, runs.c.deleted != deleted)
            connection.execute(of_experiment.values(deleted=deleted, hidden_at=now if deleted else None))

    def set_tag(self, experiment_id: str, key: str, value: str) -> None:
        storable(key, value)
        with self._database.writing() as connection:
            number = active_experiment(connection, experiment_id).id
            same = (experiment_tags.c.experiment_id == number, experiment_tags.c.key == key)
            if not connection.execute(update(experiment_tags).where(*same).values(value=value)).rowcount:
                tag = {"experiment_id": number, "key": key, "value": value}
                connection.execute(insert(experiment_tags).values(**tag))

    def delete_tag(self, experiment_id: str, key: str) -> None:
        with self._database.writing() as connection:
            number = active_experiment(connection, experiment_id).id
            same = (experiment_tags.c.experiment_id == number, experiment_tags.c.key == key)
            if not connection.execute(delete(experiment_tags).where(*same)).rowcount:
                raise NotFound(f"No tag with name: {key} in experiment with id {experiment_id}")

    def search(
        self,
        search: Search,
        page: Page,
        *,
        lifecycle: Lifecycle | None = Lifecycle.ACTIVE,
        within: Collection[str] | None = None,
    ) -> tuple[Sequence[Experiment], str | None]:
        statement = _EXPERIMENTS
        if within is not None:
            statement = statement.where(experiments.c.id.in_(experiment_numbers(within)))
        if lifecycle is not None:
            statement = statement.where(experiments.c.deleted == (lifecycle is Lifecycle.DELETED))
        with self._database.reading() as connection:
            rows, token = found(connection, statement, search, _COLUMNS, page)
            tags = _tags(connection, [row.id for row in rows])
            return [self._experiment(row, tags.get(row.id, ())) for row in rows], token

    def _read(self, connection: Connection, row: Any) -> Experiment:
        return self._experiment(row, _tags(connection, [row.id]).get(row.id, ()))

    def _experiment(self, row: Any, tags: Pairs) -> Experiment:
        return Experiment(
            experiment_id=str(row.id),
            name=row.name,
            artifact_location=row.artifact_location or runs_uri(self._database.root),
            lifecycle=Lifecycle.DELETED if row.deleted else Lifecycle.ACTIVE,
            created=milliseconds(row.created) or 0,
            updated=milliseconds(row.updated) or 0,
            tags=tags,
        )


def runs_uri(root: Path) -> str:
    """Where the artifacts of runs are whose experiment says nothing else, each at `<run id>/artifacts`."""
    return (root / "runs").as_uri()


def active_experiment(connection: Connection, experiment_id: str) -> Any:
    """The experiment's row, for writing. Raises NotFound, and UsageError for a deleted one: it takes
    nothing."""
    row = _row(connection, experiment_id, lock=True, shared=True)
    if row.deleted:
        raise UsageError(
            f"The experiment {experiment_id} must be in the 'active' state. Current state is deleted."
        )
    return row


def experiment_number(experiment_id: str) -> int | None:
    """The number that an id stands for, None for what can be no id."""
    if not experiment_id.isascii() or not experiment_id.isdigit() or len(experiment_id) > 18:
        return None
    return int(experiment_id)


def experiment_numbers(experiment_ids: Iterable[str]) -> list[int]:
    """The numbers of those ids that can be one."""
    return [number for number in map(experiment_number, experiment_ids) if number is not None]


def _row(connection: Connection, experiment_id: str, *, lock: bool = False, shared: bool = False) -> Any:
    number = experiment_number(experiment_id)
    statement = _EXPERIMENTS.where(experiments.c.id == number)
    asked = held(connection, statement, shared=shared) if lock else statement
    row = None if number is None else connection.execute(asked).first()
    if row is None:
        raise no_experiment(experiment_id)
    return row


def _refuse_taken(connection: Connection, name: str) -> None:
    if connection.execute(select(experiments.c.id).where(experiments.c.name == name)).first():
        raise AlreadyThere(f"Experiment(name={name}) already exists.")


def _tags(connection: Connection, numbers: Sequence[int]) -> dict[int, Pairs]:
    tags: dict[int, Pairs] = {}
    statement = select(experiment_tags.c.experiment_id, experiment_tags.c.key, experiment_tags.c.value)
    ordered = statement.where(experiment_tags.c.experiment_id.in_(numbers)).order_by(experiment_tags.c.key)
    for number, key, value in connection.execute(ordered):
        tags[number] = (*tags.get(number, ()), (key, value))
    return tags
