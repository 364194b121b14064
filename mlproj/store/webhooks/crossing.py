"""Which runs, and versions of registered models, have a metric where a webhook waits for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, false, insert, or_, select

from mlproj.model.record import EntryKind
from mlproj.model.run import Status
from mlproj.model.threshold import COMPARISONS, Threshold
from mlproj.store.tables import entries, experiments, latest_metrics, runs
from mlproj.store.tracking_tables import logged_model_metrics, model_versions, registered_models
from mlproj.store.webhook_tables import webhook_crossings

_POINT = logged_model_metrics.c
_AT_ONCE = 500


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook waits for, and where: in one experiment or one registered model, or in any run. `seen`
    is how far the chain was looked through."""

    webhook_id: str
    condition: Threshold
    experiment_id: int | None
    model: str | None
    seen: int


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A value that was waited for. `subject` is the run, or the version, that it counts once for."""

    subject: str
    data: dict[str, Any]


def crossings(connection: Connection, watch: Watch) -> list[Crossing]:
    """Those that were not told yet."""
    found = _of_versions(connection, watch) if watch.model is not None else _of_runs(connection, watch)
    told = select(webhook_crossings.c.subject).where(webhook_crossings.c.webhook == watch.webhook_id)
    if not found:
        return []
    told = told.where(webhook_crossings.c.subject.in_([each.subject for each in found]))
    known = set(connection.execute(told).scalars())
    return [each for each in found if each.subject not in known]


def remember(connection: Connection, webhook_id: str, found: Sequence[Crossing]) -> None:
    """Has these count as told."""
    if found:
        rows = [{"webhook": webhook_id, "subject": each.subject} for each in found]
        connection.execute(insert(webhook_crossings), rows)


def _of_runs(connection: Connection, watch: Watch) -> list[Crossing]:
    latest = latest_metrics.c
    statement = (
        select(
            runs.c.run_id,
            runs.c.name,
            runs.c.experiment_id,
            experiments.c.name.label("experiment"),
            latest.value,
            latest.step,
        )
        .join(latest_metrics, latest.run_id == runs.c.run_id)
        .join(experiments, experiments.c.id == runs.c.experiment_id)
        .where(*_meets(watch.condition, latest.key, latest.value))
    )
    if watch.experiment_id is not None:
        statement = statement.where(runs.c.experiment_id == watch.experiment_id)
    concerned = _concerned(connection, watch.seen)
    rows: list[Any] = []
    for start in range(0, len(concerned), _AT_ONCE):
        some = concerned[start : start + _AT_ONCE]
        # By their ids, so that the many runs that are over are not looked at.
        rows.extend(connection.execute(statement.where(latest.run_id.in_(some))))
    return [Crossing(subject=row.run_id, data=_told(watch.condition, row)) for row in rows]


def _concerned(connection: Connection, seen: int) -> list[str]:
    """The runs that go on, and those that ended or were amended since."""
    goes_on = select(runs.c.run_id).where(runs.c.status == Status.RUNNING.value, runs.c.sequence.is_(None))
    kinds = (EntryKind.RUN.value, EntryKind.AMENDMENT.value)
    since = select(entries.c.run_id).where(
        entries.c.sequence > seen, entries.c.kind.in_(kinds), entries.c.run_id != ""
    )
    return sorted({*connection.execute(goes_on).scalars(), *connection.execute(since).scalars()})


def _of_versions(connection: Connection, watch: Watch) -> list[Crossing]:
    """By the metrics of the version's run, and those that were logged of its model in any run."""
    latest, versions = latest_metrics.c, model_versions.c
    named = (
        # The model's number stays when it is renamed.
        select(registered_models.c.id, versions.version)
        .join(registered_models, registered_models.c.id == versions.model)
        .where(registered_models.c.name == watch.model)
    )
    of_run = named.add_columns(latest.run_id, latest.value, latest.step).join(
        latest_metrics, latest.run_id == versions.run_id
    )
    of_model = named.add_columns(_POINT.run_id, _POINT.value, _POINT.step).join(
        logged_model_metrics, _POINT.model_id == versions.model_id
    )
    rows = [
        *connection.execute(of_run.where(*_meets(watch.condition, latest.key, latest.value))),
        *connection.execute(
            of_model.where(
                *_meets(watch.condition, _POINT.key, _POINT.value), _POINT.nan == false(), ~_older()
            )
        ),
    ]
    first = {row.version: row for row in reversed(rows)}
    return [
        Crossing(
            subject=f"{row.id}/{number}",
            data={
                **_value(watch.condition, row),
                "run_id": row.run_id,
                "name": watch.model,
                "version": str(number),
            },
        )
        for number, row in sorted(first.items())
    ]


def _older() -> ColumnElement[bool]:
    """That a later point of the same metric of the same model was logged."""
    later = logged_model_metrics.alias().c
    return exists().where(
        later.model_id == _POINT.model_id,
        later.key == _POINT.key,
        or_(
            later.timestamp > _POINT.timestamp,
            and_(later.timestamp == _POINT.timestamp, later.step > _POINT.step),
        ),
    )


def _meets(condition: Threshold, key: Any, value: Any) -> tuple[ColumnElement[bool], ...]:
    compared: Any = COMPARISONS[condition.operator](value, condition.number)
    return (key == condition.key, compared)


def _told(condition: Threshold, row: Any) -> dict[str, Any]:
    return {
        **_value(condition, row),
        "run_id": row.run_id,
        "run_name": row.name,
        "experiment_id": str(row.experiment_id),
        "experiment_name": row.experiment,
        "name": None,
        "version": None,
    }


def _value(condition: Threshold, row: Any) -> dict[str, Any]:
    return {
        "metric": condition.key,
        # JSON has no infinite numbers: MLflow writes them so.
        "value": row.value if math.isfinite(row.value) else f"{'-' if row.value < 0 else ''}Infinity",
        "step": row.step,
        "comparison": condition.operator,
        "threshold": condition.number,
    }
