"""Points of metrics in the tables: added with their sums kept up, read in order by page, or a few of many."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    false,
    func,
    insert,
    literal,
    select,
    tuple_,
)
from sqlalchemy.exc import IntegrityError

from mlproj.errors import UsageError
from mlproj.model.absent import no_logged_model
from mlproj.model.logged import LARGEST, Point, Summary, order, summed
from mlproj.model.tracking import Metric, MetricSummary, Page
from mlproj.store.servers.connection import ServerConnection
from mlproj.store.tables import latest_metrics
from mlproj.store.tracking.engine import raw, storable
from mlproj.store.tracking_tables import logged_model_metrics, logged_models, metric_points

Cells = tuple[str, int, int, float, bool]
"""A point as its columns have it: key, step, time, value (0 for NaN), and whether it is NaN."""

_AT_ONCE = 500
_POINT = metric_points.c
_ORDER = (_POINT.step, _POINT.timestamp, _POINT.value, _POINT.nan)
_INSERT = insert(metric_points)
_SAME_POINT = select(_POINT.run).where(
    *(_POINT[name] == bindparam(name) for name in ("run", "key", "step", "timestamp", "value", "nan"))
)
_SUM = latest_metrics.c
_SUMS = select(_SUM.key, _SUM.value, _SUM.step, _SUM.timestamp, _SUM.minimum, _SUM.maximum, _SUM.count).where(
    _SUM.run_id == bindparam("run_id")
)
_SUMS_OF = _SUMS.where(_SUM.key.in_(bindparam("keys", expanding=True)))
_PUT_SUM = (
    'INSERT INTO latest_metrics (run_id, "key", value, step, "timestamp", minimum, maximum, "count")'
    ' VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, "key") DO UPDATE SET value = excluded.value,'
    ' step = excluded.step, "timestamp" = excluded."timestamp", minimum = excluded.minimum,'
    ' maximum = excluded.maximum, "count" = excluded."count"'
)
_INSERT_AT_SERVER = (
    'INSERT INTO metric_points (run, "key", step, "timestamp", value, nan) VALUES (?, ?, ?, ?, ?, ?)'
)
_MODEL = select(logged_models.c.model_id).where(
    logged_models.c.model_id == bindparam("model_id"), logged_models.c.deleted == false()
)
_MODEL_POINT = logged_model_metrics.c
_SAME_MODEL_POINT = select(_MODEL_POINT.model_id).where(
    *(_MODEL_POINT[name] == bindparam(name) for name in ("model_id", "key", "run_id", "step", "timestamp"))
)


def refuse_unstorable(metrics: Iterable[Metric]) -> None:
    """Raises UsageError for a point that no record can hold."""
    for metric in metrics:
        storable(metric.key)
        if abs(metric.step) > LARGEST or abs(metric.timestamp) > LARGEST:
            raise UsageError(f"a step or time of the metric `{metric.key}` is beyond {LARGEST}")


def add_points(
    connection: Connection, number: int, run_id: str, metrics: Sequence[Metric]
) -> Sequence[tuple[str, Point]]:
    """Adds points to the metrics of a run; those that were there already are not returned."""
    cells = dict.fromkeys(map(_cells, metrics))
    rows: list[dict[str, Any]] = [
        {"run": number, "key": key, "step": step, "timestamp": timestamp, "value": value, "nan": nan}
        for key, step, timestamp, value, nan in cells
    ]
    rows = _insert(connection, rows)
    added: dict[str, list[Point]] = {}
    for row in rows:
        added.setdefault(row["key"], []).append(
            _point(row["step"], row["timestamp"], row["value"], row["nan"])
        )
    _sum_up(connection, run_id, added)
    return [(key, point) for key, points in sorted(added.items()) for point in sorted(points, key=order)]


def add_model_points(connection: Connection, run_id: str, metrics: Sequence[Metric]) -> None:
    """Adds the points that were measured of logged models to what is known of those."""
    rows = {
        (metric.model_id, *_cells(metric)[:3]): {
            "model_id": metric.model_id,
            "run_id": run_id,
            **dict(zip(("key", "step", "timestamp", "value", "nan"), _cells(metric), strict=True)),
            "dataset_name": metric.dataset_name,
            "dataset_digest": metric.dataset_digest,
        }
        for metric in metrics
        if metric.model_id is not None
    }
    for model_id in {model_id for model_id, *_ in rows}:
        if connection.execute(_MODEL, {"model_id": model_id}).first() is None:
            raise no_logged_model(model_id)
    new = [
        row for row in rows.values() if connection.execute(_SAME_MODEL_POINT, _key_of(row)).first() is None
    ]
    if new:
        connection.execute(insert(logged_model_metrics), new)


def summaries_of(connection: Connection, run_id: str) -> Sequence[MetricSummary]:
    rows = connection.execute(_SUMS.order_by(_SUM.key), {"run_id": run_id})
    return [
        MetricSummary(
            latest=latest_metric(row.key, row.value, row.step, row.timestamp),
            minimum=row.minimum,
            maximum=row.maximum,
            count=row[6],
        )
        for row in rows
    ]


def latest_metric(key: str, value: float | None, step: int, timestamp: int | None) -> Metric:
    return Metric(key=key, value=math.nan if value is None else value, step=step, timestamp=timestamp or 0)


def history_of(
    connection: Connection, number: int, key: str, page: Page | None
) -> tuple[Sequence[Metric], str | None]:
    """The points of a metric in order, and the token of the next page."""
    statement = select(*_ORDER).where(_POINT.run == number, _POINT.key == key).order_by(*_ORDER)
    if page is None:
        return [_metric(key, row) for row in connection.execute(statement)], None
    if page.token:
        place = (
            literal(value, column.type) for value, column in zip(_place(page.token), _ORDER, strict=True)
        )
        statement = statement.where(tuple_(*_ORDER) > tuple_(*place))
    rows = connection.execute(statement.limit(page.limit + 1)).all()
    kept = rows[: page.limit]
    token = _token(kept[-1]) if kept and len(rows) > page.limit else None
    return [_metric(key, row) for row in kept], token


def sample_of(
    connection: Connection, number: int, key: str, most: int, first: int | None, last: int | None
) -> Sequence[Metric]:
    """At most `most` points of a metric, evenly spread, the first and the last among them."""
    asked: list[ColumnElement[bool]] = [_POINT.run == number, _POINT.key == key]
    asked += [] if first is None else [_POINT.step >= first]
    asked += [] if last is None else [_POINT.step <= last]
    count = connection.execute(select(func.count()).select_from(metric_points).where(*asked)).scalar() or 0
    statement = select(*_ORDER).where(*asked).order_by(*_ORDER)
    if count <= most:
        return [_metric(key, row) for row in connection.execute(statement)]
    if most < 2:
        return [_metric(key, row) for row in connection.execute(statement.limit(max(most, 0)))]
    spaced = _spaced(connection, asked, count, most)
    if spaced is not None:
        return [_metric(key, row) for row in spaced]
    place = func.row_number().over(order_by=_ORDER) - 1
    placed = select(*_ORDER, place.label("place")).where(*asked).subquery()
    # Of the places 0 to count - 1 those at which a straight line up to most - 1 reaches a whole number: so
    # little is left over there. (Databases do not divide alike.)
    chosen = placed.c.place * (most - 1) % (count - 1) < most - 1
    columns = [placed.c[column.name] for column in _ORDER]
    return [
        _metric(key, row)
        for row in connection.execute(select(*columns).where(chosen).order_by(placed.c.place))
    ]


def _spaced(
    connection: Connection, asked: list[ColumnElement[bool]], count: int, most: int
) -> list[Any] | None:
    """The sample of points whose steps are equally far apart: it is found by them, without what is between.

    None for other points, as far as the sample shows it.
    """
    first = connection.execute(select(func.min(_POINT.step)).where(*asked)).scalar_one()
    last = connection.execute(select(func.max(_POINT.step)).where(*asked)).scalar_one()
    apart, rest = divmod(last - first, count - 1)
    if rest or not apart:
        return None
    steps = [first + apart * -(-number * (count - 1) // (most - 1)) for number in range(most)]
    rows: list[Any] = []
    for start in range(0, most, _AT_ONCE):
        some = _POINT.step.in_(steps[start : start + _AT_ONCE])
        rows += connection.execute(select(*_ORDER).where(*asked, some).order_by(*_ORDER))
    return rows if [row.step for row in rows] == steps else None


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds those of the points that are not there, and returns them."""
    plain = raw(connection)
    if isinstance(plain, ServerConnection):
        names = tuple(rows[0]) if rows else ()
        added = plain.insert_new(_INSERT_AT_SERVER, [tuple(row.values()) for row in rows])
        return [dict(zip(names, row, strict=True)) for row in added]
    if len(rows) > 1:
        try:
            with connection.begin_nested():
                connection.execute(_INSERT, rows)
        except IntegrityError:
            pass  # a client sent some of them before
        else:
            return rows
    rows = [row for row in rows if connection.execute(_SAME_POINT, row).first() is None]
    if rows:
        connection.execute(_INSERT, rows)
    return rows


def _sum_up(connection: Connection, run_id: str, added: dict[str, list[Point]]) -> None:
    """Has the sums of these metrics count the points that were added."""
    keys = list(added)
    known: dict[str, Summary] = {}
    for start in range(0, len(keys), _AT_ONCE):
        asked = {"run_id": run_id, "keys": keys[start : start + _AT_ONCE]}
        for key, value, step, timestamp, minimum, maximum, count in connection.execute(_SUMS_OF, asked):
            known[key] = Summary(
                value=math.nan if value is None else value,
                step=step,
                timestamp=timestamp or 0,
                minimum=minimum,
                maximum=maximum,
                count=count,
            )
    sums = ((key, summed(points, known.get(key))) for key, points in added.items())
    raw(connection).executemany(_PUT_SUM, [(run_id, key, *_columns(summary)) for key, summary in sums])


def _columns(summary: Summary) -> tuple[float | int | None, ...]:
    value = None if math.isnan(summary.value) else summary.value
    return (value, summary.step, summary.timestamp, summary.minimum, summary.maximum, summary.count)


def _cells(metric: Metric) -> Cells:
    value = float(metric.value)
    nan = math.isnan(value)
    # -0.0 equals 0, and stands for it in every record.
    return metric.key, metric.step, metric.timestamp, 0.0 if nan else value + 0.0, nan


def _key_of(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("model_id", "key", "run_id", "step", "timestamp")}


def _point(step: int, timestamp: int, value: float, nan: bool) -> Point:
    return step, timestamp, math.nan if nan else value


def _metric(key: str, row: Any) -> Metric:
    step, timestamp, value, nan = row
    return Metric(key=key, step=step, timestamp=timestamp, value=math.nan if nan else value)


def _token(row: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(row)).encode()).decode()


def _place(token: str) -> tuple[int, int, float, bool]:
    try:
        step, timestamp, value, nan = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise UsageError("the page token is none that was given", hint="begin again without one") from error
    whole = type(step) is int and type(timestamp) is int and max(abs(step), abs(timestamp)) <= LARGEST
    if not whole or not isinstance(value, float) or not isinstance(nan, bool):
        raise UsageError("the page token is none that was given", hint="begin again without one")
    return step, timestamp, value, nan
