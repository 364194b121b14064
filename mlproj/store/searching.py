"""Searching and sorting runs, written in SQLAlchemy's expressions so that every value is bound."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from mlproj.errors import UsageError, did_you_mean
from mlproj.model.index import number_in
from mlproj.model.run import Status
from mlproj.store.connection import Connection
from mlproj.store.far_runs import heard_since
from mlproj.store.machine import Machine
from mlproj.store.server_tables import supervised
from mlproj.store.tables import experiments, latest_metrics, params, runs, tags
from mlproj.store_ports import Condition, RunQuery

_COMPARISONS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}
_CONTAINS = "~"

_TEXTS: dict[str, Any] = {
    "run_id": runs.c.run_id,
    "name": runs.c.name,
    "experiment": experiments.c.name,
    "project": runs.c.project,
    "entry_point": runs.c.entry_point,
    "uri": runs.c.uri,
    "commit": runs.c.commit_id,
    "plan": runs.c.plan,
    "snapshot": runs.c.snapshot,
    "record": runs.c.record,
    "user": runs.c.user_name,
    "host": runs.c.host,
    "parent": runs.c.parent,
    "reproduces": runs.c.reproduces,
    "created": runs.c.created,
    "started": runs.c.started,
    "ended": runs.c.ended,
}
_NUMBERS: dict[str, Any] = {
    "duration": runs.c.duration,
    "exit_code": runs.c.exit_code,
    "sequence": runs.c.sequence,
}
_TRUTHS = {"true": True, "false": False}
_DIALECTS: dict[str, Callable[..., Any]] = {
    "sqlite": sqlite.dialect,
    "postgresql": postgresql.dialect,
    "mysql": mysql.dialect,
}
_DETAILS = {"metrics": latest_metrics, "params": params, "tags": tags}
_ATTRIBUTES = (*_TEXTS, *_NUMBERS, "status", "dirty")


def matching(connection: Connection, query: RunQuery, machine: Machine) -> tuple[str, ...]:
    """The ids of the runs that fulfil every condition, in the order asked for.

    Raises UsageError for a field, an operator or a value that cannot be meant.
    """
    statement = (
        select(runs.c.run_id)
        .outerjoin(experiments, experiments.c.id == runs.c.experiment_id)
        .where(
            runs.c.forgotten == false(), *(_condition(condition, machine) for condition in query.conditions)
        )
    )
    if not query.deleted:
        statement = statement.where(runs.c.deleted == false())
    if query.within is not None:
        statement = statement.where(runs.c.experiment_id.in_(sorted(map(int, query.within))))
    return _execute(connection, _sorted(statement, query.sort, machine).limit(query.limit))


def _execute(connection: Connection, statement: Select[Any]) -> tuple[str, ...]:
    name = "sqlite" if isinstance(connection, sqlite3.Connection) else connection.dialect.name
    dialect = _DIALECTS[name](paramstyle="qmark")
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    return tuple(run_id for (run_id,) in connection.execute(str(compiled), values))


def _condition(condition: Condition, machine: Machine) -> ColumnElement[bool]:
    if condition.operator not in (*_COMPARISONS, _CONTAINS):
        raise UsageError(
            f"`{condition.operator}` is not a comparison",
            hint=f"the comparisons are {' '.join((*_COMPARISONS, _CONTAINS))}",
        )
    kind, _, key = condition.field.partition(".")
    if kind in _DETAILS and key:
        return _detail(kind, key, condition)
    if condition.field == "status":
        return _compare(_status(machine), condition, _status_name(condition))
    if condition.field == "dirty":
        return _compare(runs.c.dirty, condition, _choice(condition, _TRUTHS))
    if condition.field in _NUMBERS:
        return _compare(_NUMBERS[condition.field], condition, _number(condition))
    return _compare(_TEXTS[_known(condition.field)], condition, condition.value)


def _detail(kind: str, key: str, condition: Condition) -> ColumnElement[bool]:
    """That the run has such a metric, parameter or tag, and that it compares so."""
    table = _DETAILS[kind]
    compared = _compare(
        table.c.value, condition, _number(condition) if kind == "metrics" else condition.value
    )
    number = number_in(condition.value)
    if kind == "params" and number is not None and condition.operator != _CONTAINS:
        as_number = _COMPARISONS[condition.operator](params.c.number, number)
        compared = or_(as_number, and_(params.c.number.is_(None), compared))
    return exists().where(table.c.run_id == runs.c.run_id, table.c.key == key, compared)


def _compare(column: Any, condition: Condition, value: object) -> ColumnElement[bool]:
    if condition.operator != _CONTAINS:
        return _COMPARISONS[condition.operator](column, value)
    if not isinstance(value, str):
        raise UsageError(f"`{condition.field}` is no text, so it cannot be searched with `{_CONTAINS}`")
    contained: ColumnElement[bool] = column.icontains(value, autoescape=True)
    return contained


def _status(machine: Machine) -> ColumnElement[str]:
    """The status as it is shown: a running run on a host that we cannot ask is unknown."""
    heard = select(supervised.c.run_id).where(supervised.c.seen >= heard_since())
    elsewhere = and_(
        runs.c.status == Status.RUNNING.value,
        runs.c.supervisor.is_not(None),
        runs.c.supervisor != machine.host,
        or_(func.coalesce(runs.c.boot_id, "") != machine.boot_id, runs.c.boot_id == ""),
        runs.c.run_id.not_in(heard),
    )
    return case((elsewhere, Status.UNKNOWN.value), else_=runs.c.status)


def _status_name(condition: Condition) -> str:
    name = condition.value.upper()
    names = [status.value for status in Status]
    if condition.operator in ("=", "!=") and name not in names:
        raise UsageError(
            f"`{condition.value}` is not a status",
            hint=did_you_mean(name, names) or f"one of {', '.join(names)}",
        )
    return name


def _choice(condition: Condition, choices: dict[str, bool]) -> bool:
    if condition.value.lower() not in choices:
        raise UsageError(f"`{condition.field}` is compared with {' or '.join(f'`{c}`' for c in choices)}")
    return choices[condition.value.lower()]


def _number(condition: Condition) -> float:
    try:
        number = float(condition.value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise UsageError(f"`{condition.field}` is compared with a number, not with `{condition.value}`")
    return number


def _sorted(statement: Select[Any], sort: str | None, machine: Machine) -> Select[Any]:
    if sort is None:
        return statement.order_by(runs.c.number.desc())
    descending, field = sort.startswith("-"), sort.removeprefix("-")
    kind, _, key = field.partition(".")
    orders: list[Any]
    if kind in _DETAILS and key:
        table = _DETAILS[kind]
        of_run = and_(table.c.run_id == runs.c.run_id, table.c.key == key)
        columns = [params.c.number, params.c.value] if kind == "params" else [table.c.value]
        orders = [select(column).where(of_run).scalar_subquery() for column in columns]
    elif field in _NUMBERS:
        orders = [_NUMBERS[field]]
    elif field == "status":
        orders = [_status(machine)]
    elif field == "dirty":
        orders = [runs.c.dirty]
    else:
        orders = [_TEXTS[_known(field)]]
    # Each first by whether there is a value: databases put what is NULL at different ends.
    directed = [
        key
        for order in orders
        for key in (case((order.is_(None), 1), else_=0), order.desc() if descending else order.asc())
    ]
    return statement.order_by(*directed, runs.c.number.desc())


def _known(field: str) -> str:
    if field in _TEXTS:
        return field
    prefixes = [f"{kind}.<key>" for kind in _DETAILS]
    raise UsageError(
        f"runs have no field `{field}`",
        hint=did_you_mean(field, _ATTRIBUTES) or f"fields are {', '.join((*_ATTRIBUTES, *prefixes))}",
    )
