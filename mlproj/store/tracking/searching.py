"""A Search becomes SQLAlchemy expressions, for whatever kind of thing: every value is bound, none is pasted.

    columns = Columns(
        attributes={"run_id": runs.c.run_id, "start_time": runs.c.started_ms},
        details={
            Kind.METRIC: Detail(table=latest_metrics, of={"run_id": runs.c.run_id}),
            Kind.PARAM: Detail(table=params, of={"run_id": runs.c.run_id}, number="number"),
            Kind.TAG: Detail(table=tags, of={"run_id": runs.c.run_id}),
            # No key: a row for each dataset, whose columns are `name`, `digest` and `context`.
            Kind.DATASET: Detail(table=read, of={"run_id": runs.c.run_id}, key=None),
        },
        last=(Last(runs.c.started_ms, descending=True), Last(runs.c.run_id)),
    )
    statement = select(runs.c.run_id).where(runs.c.experiment_id.in_(ids))
    rows, token = paging.found(connection, statement, search, columns, page)

What is not there does not compare: a run without a tag is found by `IS NULL` alone, not by `!=`. NaN is
unequal to every number, and no more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    and_,
    cast,
    exists,
    func,
    not_,
    or_,
    true,
)

from mlproj.errors import unreachable
from mlproj.model.search import AllOf, AnyOf, Comparison, Expression, Kind, Measured, Operator

_NEGATIVE = (Operator.UNEQUAL, Operator.NOT_IN)
_OF_TEXTS = (Operator.LIKE, Operator.ILIKE)
_ESCAPE = "!"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKED = {ord(letter): chr(0xE000 + ord(letter)) for letter in _CAPITALS}
"""Characters for private use, one for each capital."""


class Detail(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A table of what a thing has many of. `of` ties its columns to those of the thing.

    `key` and `value` name its columns; without `key`, the searched name is a column. `number` names the
    column that holds a text's number, `nan` that which is true for NaN (else NULL stands for it), `on` those
    of a dataset's name and digest. Where a thing may have several rows of a key, the first in the order of
    `newest` counts when things are sorted.
    """

    table: FromClause
    of: Mapping[str, ColumnElement[Any]]
    key: str | None = "key"
    value: str = "value"
    number: str | None = None
    nan: str | None = None
    on: tuple[str, str] | None = None
    newest: tuple[str, ...] = ()

    def rows(self) -> FromClause:
        return self.table.alias()

    def belongs(self, rows: FromClause, name: str, measured: Sequence[Measured] = ()) -> ColumnElement[bool]:
        """That a row of `rows` is the thing's, of the key `name`, and measured on one of these datasets."""
        ties = [rows.c[column] == of for column, of in self.of.items()]
        if self.key is not None:
            ties.append(rows.c[self.key] == name)
        return and_(*ties, self.measured(rows, measured))

    def measured(self, rows: FromClause, measured: Sequence[Measured]) -> ColumnElement[bool]:
        if self.on is None or not measured:
            return true()
        name, digest = (rows.c[column] for column in self.on)
        return or_(
            *(
                name == one.dataset_name
                if one.dataset_digest is None
                else and_(name == one.dataset_name, digest == one.dataset_digest)
                for one in measured
            )
        )

    def is_nan(self, rows: FromClause) -> ColumnElement[bool]:
        return rows.c[self.value].is_(None) if self.nan is None else rows.c[self.nan] == true()


class Last(msgspec.Struct, frozen=True):
    """An expression that is never NULL, of a kind's own order."""

    expression: ColumnElement[Any]
    descending: bool = False


class Columns(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a kind of thing is searched in and sorted by; the `last` of its own order tell all things apart.

    `written` turns the value that an attribute is compared with into what its column holds. Things are
    sorted by such an attribute as by its column.
    """

    attributes: Mapping[str, ColumnElement[Any]]
    details: Mapping[Kind, Detail] = {}
    last: tuple[Last, ...]
    written: Mapping[str, Callable[[Any], Any]] = {}


def condition(where: Expression, columns: Columns, measured: Sequence[Measured] = ()) -> ColumnElement[bool]:
    """That the thing is as `where` says; metrics count on the `measured` datasets alone, if there are any."""
    match where:
        case AllOf(of):
            return and_(true(), *(condition(part, columns, measured) for part in of))
        case AnyOf(of):
            return or_(*(condition(part, columns, measured) for part in of))
        case Comparison():
            return _compared(where, columns, measured)
        case _:
            unreachable(where)


def conditions(
    where: Expression, columns: Columns, measured: Sequence[Measured]
) -> tuple[ColumnElement[bool], ...]:
    """All that a search asks for: where it names datasets and no metric, any metric on them will do."""
    asked = condition(where, columns, measured)
    if not measured or _names_metric(where):
        return (asked,)
    detail = columns.details[Kind.METRIC]
    rows = detail.rows()
    ties = (rows.c[column] == of for column, of in detail.of.items())
    return asked, exists().where(*ties, detail.measured(rows, measured))


def _names_metric(where: Expression) -> bool:
    if isinstance(where, Comparison):
        return where.key.kind is Kind.METRIC
    return any(_names_metric(part) for part in where.of)


def _compared(asked: Comparison, columns: Columns, measured: Sequence[Measured]) -> ColumnElement[bool]:
    if asked.key.kind is Kind.ATTRIBUTE:
        column = columns.attributes[asked.key.name]
        if asked.operator in _OF_TEXTS and not isinstance(column.type, String):
            return _holds(cast(column, String), asked.operator, asked.values)
        convert = columns.written.get(asked.key.name, _as_it_is)
        values = tuple(convert(value) for value in asked.values)
        return _holds(column, asked.operator, values)
    detail = columns.details[asked.key.kind]
    rows = detail.rows()
    there = exists().where(detail.belongs(rows, asked.key.name, measured))
    match asked.operator:
        case Operator.IS_NULL:
            return not_(there)
        case Operator.IS_NOT_NULL:
            return there
        case _:
            return there.where(_value_holds(detail, rows, asked))


def _as_it_is(value: Any) -> Any:
    return value


def _value_holds(detail: Detail, rows: FromClause, asked: Comparison) -> ColumnElement[bool]:
    value = rows.c[detail.value if detail.key is not None else asked.key.name]
    if asked.key.kind is Kind.METRIC:
        holds = _holds(value, asked.operator, asked.values)
        nan = detail.is_nan(rows)
        return or_(nan, holds) if asked.operator in _NEGATIVE else and_(not_(nan), holds)
    texts = tuple(value for value in asked.values if isinstance(value, str))
    numbers = tuple(value for value in asked.values if not isinstance(value, str))
    if detail.number is None or not numbers:
        return _holds(value, asked.operator, asked.values)
    number = rows.c[detail.number]
    as_numbers = _holds(number, asked.operator, numbers)
    if asked.operator in _NEGATIVE:
        as_numbers = or_(number.is_(None), as_numbers)
    if not texts:
        return as_numbers
    as_texts = _holds(value, asked.operator, texts)
    return and_(as_numbers, as_texts) if asked.operator in _NEGATIVE else or_(as_numbers, as_texts)


def _holds(column: ColumnElement[Any], operator: Operator, values: Sequence[Any]) -> ColumnElement[bool]:
    holds: ColumnElement[bool]
    match operator:
        case Operator.EQUAL:
            holds = column == values[0]
        case Operator.UNEQUAL:
            holds = column != values[0]
        case Operator.LESS:
            holds = column < values[0]
        case Operator.LESS_EQUAL:
            holds = column <= values[0]
        case Operator.GREATER:
            holds = column > values[0]
        case Operator.GREATER_EQUAL:
            holds = column >= values[0]
        case Operator.LIKE:
            holds = _like(column, values[0])
        case Operator.ILIKE:
            holds = column.ilike(_escaped(values[0]), escape=_ESCAPE)
        case Operator.IN:
            holds = column.in_(values)
        case Operator.NOT_IN:
            holds = column.not_in(values)
        case Operator.IS_NULL:
            holds = column.is_(None)
        case Operator.IS_NOT_NULL:
            holds = column.is_not(None)
        case _:
            unreachable(operator)
    return holds


def _like(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """LIKE that minds case in every database.

    SQLite's does not, so the capitals that could be mistaken for a letter of the pattern are replaced by
    characters that have no case, on both sides. The plain LIKE comes first: it rules most rows out.
    """
    plain = column.like(_escaped(pattern), escape=_ESCAPE)
    capitals = sorted({letter.upper() for letter in pattern} & set(_CAPITALS))
    if not capitals:
        return plain
    marked = functools.reduce(
        lambda text, letter: func.replace(text, letter, _MARKED[ord(letter)]), capitals, column
    )
    return and_(plain, marked.like(_escaped(pattern.translate(_MARKED)), escape=_ESCAPE))


def _escaped(pattern: str) -> str:
    """Without an escape character some databases take the backslash for one."""
    return pattern.replace(_ESCAPE, _ESCAPE * 2)
