"""Logged models in the tables: models of MLflow 3, with what was measured of them."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from mlproj.errors import NotFound, UsageError
from mlproj.model.absent import no_logged_model
from mlproj.model.index import number_in
from mlproj.model.names import run_name
from mlproj.model.search import Kind, Search
from mlproj.model.tracking import LoggedModel, Metric, Page, Pairs
from mlproj.store.tracking import addresses
from mlproj.store.tracking.engine import Database, held, storable
from mlproj.store.tracking.experiments import active_experiment, experiment_numbers
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.pairs import drop_pair, pairs_of, put_pairs
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking_tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)

PENDING, READY, FAILED = "PENDING", "READY", "FAILED"
_STATES = (PENDING, READY, FAILED)

_OF_MODEL = {"model_id": logged_models.c.model_id}
_COLUMNS = Columns(
    attributes={
        "name": logged_models.c.name,
        "model_id": logged_models.c.model_id,
        "model_type": logged_models.c.model_type,
        "status": logged_models.c.status,
        "source_run_id": logged_models.c.source_run_id,
        "creation_timestamp": logged_models.c.created_ms,
        "last_updated_timestamp": logged_models.c.updated_ms,
    },
    details={
        Kind.METRIC: Detail(
            table=logged_model_metrics,
            of=_OF_MODEL,
            nan="nan",
            on=("dataset_name", "dataset_digest"),
            newest=("timestamp", "step"),
        ),
        Kind.PARAM: Detail(table=logged_model_params, of=_OF_MODEL, number="number"),
        Kind.TAG: Detail(table=logged_model_tags, of=_OF_MODEL),
    },
    last=(Last(logged_models.c.created_ms, descending=True), Last(logged_models.c.model_id)),
)
_AT_ONCE = 500


class StoredModels:
    """The `LoggedModels` of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        experiment_id: str,
        *,
        name: str | None,
        model_type: str | None = None,
        source_run_id: str | None = None,
        params: Pairs = (),
        tags: Pairs = (),
    ) -> LoggedModel:
        storable(name, model_type, source_run_id, *_texts(params), *_texts(tags))
        identifier = uuid.uuid4().hex
        model_id = f"m-{identifier}"
        with self._database.writing() as connection:
            experiment = active_experiment(connection, experiment_id)
            root = experiment.artifact_location or self._database.root.as_uri()
            now = self._database.now_ms()
            row = {
                "model_id": model_id,
                "experiment_id": experiment.id,
                "name": name or run_name(identifier),
                "artifact_uri": addresses.kept(
                    self._database.root, f"{root.rstrip('/')}/models/{model_id}/artifacts"
                ),
                "created_ms": now,
                "updated_ms": now,
                "status": PENDING,
                "model_type": model_type,
                "source_run_id": source_run_id,
            }
            connection.execute(insert(logged_models).values(**row))
            _put_params(connection, model_id, params)
            put_pairs(connection, logged_model_tags, {"model_id": model_id}, tags)
            return _read(connection, [_row(connection, model_id)])[0]

    def get(self, model_id: str) -> LoggedModel:
        with self._database.reading() as connection:
            row = _row(connection, model_id)
            if row.deleted:
                raise no_logged_model(model_id)
            return _read(connection, [row])[0]

    def experiment_of(self, model_id: str) -> str:
        statement = select(logged_models.c.experiment_id).where(logged_models.c.model_id == model_id)
        with self._database.reading() as connection:
            number = connection.execute(statement).scalar()
            if number is None:
                raise no_logged_model(model_id)
            return str(number)

    def finalize(self, model_id: str, status: str) -> LoggedModel:
        if status not in _STATES:
            raise UsageError(f"`{status}` is no state of a logged model", hint=f"one of {', '.join(_STATES)}")
        with self._database.writing() as connection:
            self._change(connection, model_id, status=status)
            return _read(connection, [_row(connection, model_id)])[0]

    def delete(self, model_id: str) -> None:
        with self._database.writing() as connection:
            self._change(connection, model_id, deleted=True)

    def log_params(self, model_id: str, params: Pairs) -> None:
        storable(*_texts(params))
        with self._database.writing() as connection:
            _row(connection, model_id)
            _put_params(connection, model_id, params)

    def set_tags(self, model_id: str, tags: Pairs) -> LoggedModel:
        storable(*_texts(tags))
        with self._database.writing() as connection:
            row = _row(connection, model_id)
            put_pairs(connection, logged_model_tags, {"model_id": model_id}, tags)
            return _read(connection, [row])[0]

    def delete_tag(self, model_id: str, key: str) -> None:
        with self._database.writing() as connection:
            _row(connection, model_id)
            if not drop_pair(connection, logged_model_tags, {"model_id": model_id}, key):
                raise NotFound(f"No tag with key {key!r} found for model with ID {model_id!r}.")

    def search(
        self, experiment_ids: Sequence[str], search: Search, page: Page
    ) -> tuple[Sequence[LoggedModel], str | None]:
        statement = select(logged_models).where(
            logged_models.c.experiment_id.in_(experiment_numbers(experiment_ids)),
            logged_models.c.deleted.is_(False),
        )
        with self._database.reading() as connection:
            rows, token = found(connection, statement, search, _COLUMNS, page)
            return _read(connection, rows), token

    def _change(self, connection: Connection, model_id: str, **values: Any) -> None:
        changed = {**values, "updated_ms": self._database.now_ms()}
        statement = update(logged_models).where(logged_models.c.model_id == model_id).values(**changed)
        if not connection.execute(statement).rowcount:
            raise no_logged_model(model_id)


def _texts(pairs: Pairs) -> Sequence[str]:
    return [text for pair in pairs for text in pair]


def _put_params(connection: Connection, model_id: str, params: Pairs) -> None:
    """Params do not change; the same value may come again."""
    known = dict(pairs_of(connection, logged_model_params, ["model_id"], [(model_id,)])[(model_id,)])
    for key, value in params:
        if known.setdefault(key, value) != value:
            raise UsageError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with "
                f"value='{known[key]}' for logged model ID='{model_id}'. Attempted logging new value "
                f"'{value}'."
            )
    have = select(logged_model_params.c.key).where(logged_model_params.c.model_id == model_id)
    there = set(connection.execute(have).scalars())
    rows = [
        {"model_id": model_id, "key": key, "value": value, "number": number_in(value)}
        for key, value in dict(params).items()
        if key not in there
    ]
    if rows:
        connection.execute(insert(logged_model_params), rows)


def _row(connection: Connection, model_id: str) -> Row[Any]:
    statement = select(logged_models).where(logged_models.c.model_id == model_id)
    row = connection.execute(held(connection, statement)).first()
    if row is None:
        raise no_logged_model(model_id)
    return row


def _read(connection: Connection, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
    ids = [row.model_id for row in rows]
    named = [(model_id,) for model_id in ids]
    tags = pairs_of(connection, logged_model_tags, ["model_id"], named)
    params = pairs_of(connection, logged_model_params, ["model_id"], named)
    metrics = _metrics(connection, ids)
    return [
        LoggedModel(
            model_id=row.model_id,
            experiment_id=str(row.experiment_id),
            name=row.name,
            artifact_uri=addresses.told(connection, row.artifact_uri),
            created=row.created_ms,
            updated=row.updated_ms,
            status=row.status,
            status_message=row.status_message,
            model_type=row.model_type,
            source_run_id=row.source_run_id,
            tags=tags[(row.model_id,)],
            params=params[(row.model_id,)],
            metrics=tuple(metrics[row.model_id]),
        )
        for row in rows
    ]


def _metrics(connection: Connection, model_ids: Sequence[str]) -> Mapping[str, list[Metric]]:
    table = logged_model_metrics
    found: dict[str, list[Metric]] = defaultdict(list)
    for start in range(0, len(model_ids), _AT_ONCE):
        some = table.c.model_id.in_(model_ids[start : start + _AT_ONCE])
        in_order = (table.c.key, table.c.step, table.c.timestamp, table.c.run_id)
        for row in connection.execute(select(table).where(some).order_by(*in_order)):
            found[row.model_id].append(
                Metric(
                    key=row.key,
                    value=math.nan if row.nan else row.value,
                    timestamp=row.timestamp,
                    step=row.step,
                    model_id=row.model_id,
                    dataset_name=row.dataset_name,
                    dataset_digest=row.dataset_digest,
                    run_id=row.run_id,
                )
            )
    return found
