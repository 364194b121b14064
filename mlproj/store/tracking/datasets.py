"""What a run read and made: datasets as the script described them, and logged models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from mlproj.model.digest import canonical
from mlproj.model.logged import LoggedModelUse
from mlproj.model.tracking import Dataset, DatasetInput
from mlproj.store.tables import runs
from mlproj.store.tracking.engine import storable
from mlproj.store.tracking_tables import dataset_inputs, datasets, run_models

CONTEXT = "mlflow.data.context"
_SUMMARIES = 1000
"""So many datasets of experiments are told of at most, as MLflow does."""

_KNOWN = select(datasets.c.id).where(
    *(datasets.c[name] == bindparam(name) for name in ("experiment_id", "name", "digest"))
)


def add_datasets(
    connection: Connection, run_id: str, experiment: int, read: Sequence[DatasetInput]
) -> Sequence[DatasetInput]:
    """Notes which datasets a run read; those that were noted already are not returned."""
    added = []
    for item in read:
        _refuse_unstorable(item)
        number = _dataset(connection, experiment, item.dataset)
        same = (dataset_inputs.c.run_id == run_id, dataset_inputs.c.dataset_id == number)
        if connection.execute(select(dataset_inputs.c.run_id).where(*same)).first():
            continue
        tags = dict(item.tags)
        row = {"run_id": run_id, "dataset_id": number, "context": tags.get(CONTEXT)}
        connection.execute(insert(dataset_inputs).values(**row, tags=canonical(tags).decode()))
        added.append(item)
    return added


def add_models(
    connection: Connection, run_id: str, uses: Iterable[LoggedModelUse]
) -> Sequence[LoggedModelUse]:
    """Notes which logged models a run read or made; those that were noted already are not returned."""
    added = []
    for use in uses:
        storable(use.model_id)
        row = {"run_id": run_id, "direction": use.direction, "model_id": use.model_id}
        same = [run_models.c[name] == value for name, value in row.items()]
        known = connection.execute(select(run_models.c.step).where(*same)).first()
        if known is None:
            connection.execute(insert(run_models).values(**row, step=use.step))
            added.append(use)
    return added


def inputs_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[DatasetInput, ...]]:
    """The datasets that each of these runs read."""
    statement = (
        select(
            dataset_inputs.c.run_id,
            dataset_inputs.c.tags,
            *(datasets.c[name] for name in ("name", "digest", "source_type", "source", "schema", "profile")),
        )
        .join(datasets, datasets.c.id == dataset_inputs.c.dataset_id)
        .where(dataset_inputs.c.run_id.in_(run_ids))
        .order_by(datasets.c.id)
    )
    found: dict[str, tuple[DatasetInput, ...]] = {}
    for run_id, tags, *cells in connection.execute(statement):
        name, digest, source_type, source, schema, profile = cells
        dataset = Dataset(
            name=name,
            digest=digest,
            source_type=source_type,
            source=source,
            schema=schema,
            profile=profile,
        )
        read = DatasetInput(dataset=dataset, tags=tuple(sorted(json.loads(tags).items())))
        found[run_id] = (*found.get(run_id, ()), read)
    return found


def models_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[LoggedModelUse, ...]]:
    """The logged models that each of these runs read or made."""
    statement = select(
        run_models.c.run_id, run_models.c.model_id, run_models.c.direction, run_models.c.step
    ).where(run_models.c.run_id.in_(run_ids))
    found: dict[str, tuple[LoggedModelUse, ...]] = {}
    ordered = statement.order_by(run_models.c.step, run_models.c.model_id)
    for run_id, model_id, direction, step in connection.execute(ordered):
        use = LoggedModelUse(model_id=model_id, direction=direction, step=step)
        found[run_id] = (*found.get(run_id, ()), use)
    return found


def datasets_in(
    connection: Connection, experiments: Sequence[int]
) -> Sequence[tuple[str, str, str, str | None]]:
    """Experiment, name, digest and context of each dataset that runs of these experiments read."""
    statement = (
        select(runs.c.experiment_id, datasets.c.name, datasets.c.digest, dataset_inputs.c.context)
        .join(dataset_inputs, dataset_inputs.c.run_id == runs.c.run_id)
        .join(datasets, datasets.c.id == dataset_inputs.c.dataset_id)
        .where(runs.c.experiment_id.in_(experiments))
        .distinct()
        .order_by(runs.c.experiment_id, datasets.c.name, datasets.c.digest, dataset_inputs.c.context)
        .limit(_SUMMARIES)
    )
    return [(str(number), *rest) for number, *rest in connection.execute(statement)]


def _dataset(connection: Connection, experiment: int, dataset: Dataset) -> Any:
    """The number of a dataset, which an experiment knows by name and digest."""
    asked = {"experiment_id": experiment, "name": dataset.name, "digest": dataset.digest}
    known = connection.execute(_KNOWN, asked).scalar()
    if known is not None:
        return known
    described = {
        "source_type": dataset.source_type,
        "source": dataset.source,
        "schema": dataset.schema,
        "profile": dataset.profile,
    }
    added = connection.execute(insert(datasets).values(**asked, **described))
    (number,) = added.inserted_primary_key or (None,)
    return number


def _refuse_unstorable(item: DatasetInput) -> None:
    dataset = item.dataset
    storable(
        dataset.name, dataset.digest, dataset.source_type, dataset.source, dataset.schema, dataset.profile
    )
    storable(*(text for pair in item.tags for text in pair))
