"""Runs in the tables, as clients see them: one that is written to, many that are read, what is searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    select,
)

from mlproj.errors import UsageError
from mlproj.model.absent import no_run
from mlproj.model.run import Status
from mlproj.model.search import AllOf, AnyOf, Comparison, Expression, Key, Kind, Order, Search
from mlproj.model.tracking import PARENT, Lifecycle, Metric, ModelOutput, Pairs, RunStatus, TrackedRun
from mlproj.store.tables import experiments, latest_metrics, params, runs, tags
from mlproj.store.tracking.datasets import inputs_of, models_of
from mlproj.store.tracking.metrics import latest_metric
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking.told_tags import COLUMNS, searched, told
from mlproj.store.tracking_tables import dataset_inputs, datasets

NAME_TAG = "mlflow.runName"
"""Clients see a run's name as this tag too. It is no tag here: the name lies outside of the seal."""

_AT_ONCE = 500
# What clients cannot be told: history from elsewhere that ended nobody knows how.
_STATUS = func.coalesce(
    runs.c.logged_status,
    case((runs.c.status == Status.UNKNOWN.value, RunStatus.KILLED.value), else_=runs.c.status),
)
_STARTED = func.coalesce(runs.c.started_ms, 0)
RUNS = select(
    runs.c.number,
    runs.c.run_id,
    runs.c.name,
    runs.c.experiment_id,
    _STATUS.label("seen_status"),
    _STARTED.label("seen_start"),
    runs.c.ended_ms,
    runs.c.deleted,
    runs.c.sequence,
    runs.c.supervisor,
    runs.c.owner,
    experiments.c.artifact_location,
    *COLUMNS,
).join(experiments, experiments.c.id == runs.c.experiment_id)
# Tags that are searched as attributes, by the name that clients know.
_TAGS = searched()
_RUN = RUNS.where(runs.c.run_id == bindparam("run_id"), runs.c.forgotten == false())
_EXPERIMENT = select(runs.c.experiment_id).where(
    runs.c.run_id == bindparam("run_id"), runs.c.forgotten == false()
)
_WRITTEN = (
    select(runs.c.number, runs.c.deleted, runs.c.sequence, runs.c.experiment_id, runs.c.name)
    .where(runs.c.run_id == bindparam("run_id"), runs.c.forgotten == false())
    # Rows that name it by a foreign key may still be added.
    .with_for_update(key_share=True)
)


def run_row(connection: Connection, run_id: str) -> Any:
    """The row of a run, for reading. Raises RunNotFound."""
    row = connection.execute(_RUN, {"run_id": run_id}).first()
    if row is None:
        raise no_run(run_id)
    return row


def experiment_of_run(connection: Connection, run_id: str) -> str:
    """The id of the experiment that the run is under. Raises RunNotFound."""
    number = connection.execute(_EXPERIMENT, {"run_id": run_id}).scalar()
    if number is None:
        raise no_run(run_id)
    return str(number)


def written_run(connection: Connection, run_id: str) -> Any:
    """The row of a run, for writing. Raises RunNotFound, and UsageError for a deleted one, which takes
    nothing."""
    row = any_run(connection, run_id)
    if row.deleted:
        raise UsageError(f"The run {run_id} must be in the 'active' state. Current state is deleted.")
    return row


def any_run(connection: Connection, run_id: str) -> Any:
    """As `written_run`, deleted ones too."""
    row = connection.execute(_WRITTEN, {"run_id": run_id}).first()
    if row is None:
        raise no_run(run_id)
    return row


def tracked(connection: Connection, rows: Sequence[Any], root_uri: str) -> Sequence[TrackedRun]:
    """The runs of these rows with everything that was logged to them."""
    found: list[TrackedRun] = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        run_ids = [row.run_id for row in some]
        of_params, of_tags = _pairs(connection, params, run_ids), _pairs(connection, tags, run_ids)
        metrics = _metrics(connection, run_ids)
        inputs, models = inputs_of(connection, run_ids), models_of(connection, run_ids)
        for row in some:
            uses = models.get(row.run_id, ())
            named = {**told(row), **dict(of_tags.get(row.run_id, ())), NAME_TAG: row.name}
            found.append(
                TrackedRun(
                    run_id=row.run_id,
                    name=row.name,
                    experiment_id=str(row.experiment_id),
                    user=row.user_name or "",
                    status=RunStatus(row.seen_status),
                    started=row.seen_start,
                    ended=row.ended_ms,
                    artifact_uri=_artifact_uri(row, root_uri),
                    lifecycle=Lifecycle.DELETED if row.deleted else Lifecycle.ACTIVE,
                    params=of_params.get(row.run_id, ()),
                    tags=tuple(sorted(named.items())),
                    metrics=metrics.get(row.run_id, ()),
                    inputs=inputs.get(row.run_id, ()),
                    model_inputs=tuple(use.model_id for use in uses if use.direction == "input"),
                    model_outputs=tuple(
                        ModelOutput(model_id=use.model_id, step=use.step)
                        for use in uses
                        if use.direction == "output"
                    ),
                )
            )
    return found


def run_columns(root_uri: str) -> Columns:
    """What runs are searched in and sorted by."""
    read = (
        select(dataset_inputs.c.run_id, datasets.c.name, datasets.c.digest, dataset_inputs.c.context)
        .join(datasets, datasets.c.id == dataset_inputs.c.dataset_id)
        .subquery()
    )
    own = {"run_id": runs.c.run_id}
    return Columns(
        attributes={
            "run_id": runs.c.run_id,
            "run_name": runs.c.name,
            "status": _STATUS,
            "user_id": runs.c.user_name,
            "artifact_uri": literal(f"{root_uri}/").concat(runs.c.run_id).concat("/artifacts"),
            "start_time": runs.c.started_ms,
            "end_time": runs.c.ended_ms,
            **_TAGS,
        },
        details={
            Kind.METRIC: Detail(table=latest_metrics, of=own),
            Kind.PARAM: Detail(table=params, of=own, number="number"),
            Kind.TAG: Detail(table=tags, of=own),
            Kind.DATASET: Detail(table=read, of=own, key=None),
        },
        last=(Last(_STARTED, descending=True), Last(runs.c.run_id)),
    )


def listed(
    table: FromClause, experiment_numbers: Sequence[int], lifecycle: Lifecycle | None
) -> Sequence[ColumnElement[bool]]:
    """What holds of the rows of `table`, of runs, that are of these experiments and in that state."""
    own = (table.c.experiment_id.in_(experiment_numbers), table.c.forgotten == false())
    return own if lifecycle is None else (*own, table.c.deleted == (lifecycle is Lifecycle.DELETED))


def on_top_of(experiment_numbers: Sequence[int], lifecycle: Lifecycle | None) -> ColumnElement[bool]:
    """That a run was begun below none of those that are `listed`."""
    above = runs.alias()
    begun_below = above.c.run_id == _TAGS[PARENT]
    others = above.c.run_id != runs.c.run_id
    there = exists().where(begun_below, others, *listed(above, experiment_numbers, lifecycle))
    return ~there.correlate(runs)


def with_names(search: Search) -> Search:
    """The search with the tags that a run's row tells, its name among them, taken for attributes."""
    order = tuple(_ordered(item) for item in search.order)
    return replace(search, where=_named(search.where), order=order)


def _named(where: Expression) -> Expression:
    match where:
        case AllOf(of):
            return AllOf(tuple(map(_named, of)))
        case AnyOf(of):
            return AnyOf(tuple(map(_named, of)))
        case _:
            return replace(where, key=_meant(where.key)) if isinstance(where, Comparison) else where


def _ordered(item: Order) -> Order:
    return replace(item, key=_meant(item.key))


def _meant(key: Key) -> Key:
    if key.kind is not Kind.TAG or key.name not in (NAME_TAG, *_TAGS):
        return key
    return Key(kind=Kind.ATTRIBUTE, name="run_name" if key.name == NAME_TAG else key.name)


def _artifact_uri(row: Any, root_uri: str) -> str:
    """Where a run's artifacts are: in its folder, unless a client began it where the experiment says."""
    supervised = row.supervisor is not None and row.owner is None
    location = None if supervised else row.artifact_location
    return f"{(location or root_uri).rstrip('/')}/{row.run_id}/artifacts"


def _pairs(connection: Connection, table: Any, run_ids: Sequence[str]) -> dict[str, Pairs]:
    statement = select(table.c.run_id, table.c.key, table.c.value).where(table.c.run_id.in_(run_ids))
    found: dict[str, list[tuple[str, str]]] = {}
    for run_id, key, value in connection.execute(statement.order_by(table.c.run_id, table.c.key)).all():
        found.setdefault(run_id, []).append((key, value))
    return {run_id: tuple(pairs) for run_id, pairs in found.items()}


def _metrics(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[Metric, ...]]:
    columns = [latest_metrics.c[name] for name in ("run_id", "key", "value", "step", "timestamp")]
    statement = select(*columns).where(latest_metrics.c.run_id.in_(run_ids))
    found: dict[str, list[Metric]] = {}
    ordered = statement.order_by(latest_metrics.c.run_id, latest_metrics.c.key)
    for run_id, *cells in connection.execute(ordered).all():
        found.setdefault(run_id, []).append(latest_metric(*cells))
    return {run_id: tuple(metrics) for run_id, metrics in found.items()}
