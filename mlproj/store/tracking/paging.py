"""Pages of a search: sorted, each beginning after the last thing of the one before, whatever came in between.

A token holds the sort keys of the last thing of its page. Whoever alters one gets another place in the same
search at most: its values are bound like any others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    String,
    and_,
    case,
    false,
    or_,
    select,
)

from mlproj.errors import UsageError
from mlproj.model.search import Kind, Order, Search
from mlproj.model.tracking import Page
from mlproj.store.tracking.searching import Columns, Detail, conditions

_LONGEST = 100_000
"""Characters of a token."""
_GREATEST = 2.0**63
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class _SortKey(msgspec.Struct, frozen=True, eq=False):
    expression: ColumnElement[Any]
    descending: bool = False

    def sorted(self) -> ColumnElement[Any]:
        return self.expression.desc() if self.descending else self.expression.asc()

    def same(self, value: Any) -> ColumnElement[bool]:
        return self.expression.is_(None) if value is None else self.expression == value

    def after(self, value: Any) -> ColumnElement[bool]:
        # A key that may be NULL comes after one that says whether it is.
        if value is None:
            return false()
        after: ColumnElement[bool] = self.expression < value if self.descending else self.expression > value
        return after

    def takes(self, value: Any) -> bool:
        if value is None:
            return True
        if isinstance(self.expression.type, String):
            return isinstance(value, str) and not _UNSTORABLE.search(value)
        return isinstance(value, float) or (type(value) is int and -_GREATEST <= value < _GREATEST)


def found(
    connection: Connection, statement: Select[Any], search: Search, columns: Columns, page: Page
) -> tuple[Sequence[Row[Any]], str | None]:
    """The rows of `statement` that fit the search, one page of them, and the token of the next page.

    Raises UsageError for a token that is none, or is of another search.
    """
    statement = statement.where(*conditions(search.where, columns, search.measured))
    keys: list[_SortKey] = []
    for order in search.order:
        statement, more = _sorted_by(statement, order, columns)
        keys += more
    keys += (_SortKey(last.expression, last.descending) for last in columns.last)
    if page.token:
        statement = statement.where(_after(keys, _values(page.token, search, keys)))
    names = [f"sort_key_{number}" for number in range(len(keys))]
    labelled = (key.expression.label(name) for key, name in zip(keys, names, strict=True))
    statement = statement.add_columns(*labelled).order_by(*(key.sorted() for key in keys))
    rows = connection.execute(statement.limit(page.limit + 1)).all()
    if len(rows) <= page.limit or page.limit < 1:
        return rows[: page.limit], None
    last = rows[page.limit - 1]._mapping
    return rows[: page.limit], _token(search, [last[name] for name in names])


def _sorted_by(statement: Select[Any], order: Order, columns: Columns) -> tuple[Select[Any], list[_SortKey]]:
    """The statement with what it is sorted by joined to it. Whatever has no value comes last."""
    if order.key.kind is Kind.ATTRIBUTE:
        return statement, list(_known_first(columns.attributes[order.key.name], order.descending))
    detail = columns.details[order.key.kind]
    if detail.newest:
        return statement, list(_known_first(_newest(detail, order), order.descending))
    rows = detail.rows()
    statement = statement.outerjoin(rows, detail.belongs(rows, order.key.name))
    return statement, list(_of_detail(detail, rows, order))


def _of_detail(detail: Detail, rows: FromClause, order: Order) -> Iterator[_SortKey]:
    value = rows.c[detail.value]
    missing = next(rows.c[column] for column in detail.of).is_(None)
    if order.key.kind is Kind.METRIC:
        yield _SortKey(case((missing, 2), (detail.is_nan(rows), 1), else_=0))
        yield _SortKey(value, order.descending)
    elif detail.number is not None:
        number = rows.c[detail.number]
        yield _SortKey(case((missing, 2), (number.is_(None), 1), else_=0))
        yield _SortKey(number, order.descending)
        yield _SortKey(value, order.descending)
    else:
        yield _SortKey(case((missing, 1), else_=0))
        yield _SortKey(value, order.descending)


def _known_first(expression: ColumnElement[Any], descending: bool) -> Iterator[_SortKey]:
    if getattr(expression, "nullable", True):
        yield _SortKey(case((expression.is_(None), 1), else_=0))
    yield _SortKey(expression, descending)


def _newest(detail: Detail, order: Order) -> ColumnElement[Any]:
    rows = detail.rows()
    on = () if order.on is None else (order.on,)
    value = case((detail.is_nan(rows), None), else_=rows.c[detail.value])
    newest = (rows.c[column].desc() for column in detail.newest)
    chosen = select(value).where(detail.belongs(rows, order.key.name, on)).order_by(*newest).limit(1)
    return chosen.scalar_subquery()


def _after(keys: Sequence[_SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """That a row comes after the one with these values: greater in a key, and equal in all before it."""
    return or_(
        *(
            and_(
                *(key.same(value) for key, value in zip(keys[:number], values, strict=False)),
                keys[number].after(values[number]),
            )
            for number in range(len(keys))
        )
    )


def _token(search: Search, values: Sequence[Any]) -> str:
    payload = json.dumps([_fingerprint(search), *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(payload.encode()).decode()


def _values(token: str, search: Search, keys: Sequence[_SortKey]) -> Sequence[Any]:
    try:
        payload = json.loads(base64.b64decode(token[:_LONGEST], altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        payload = None
    if not isinstance(payload, list) or len(payload) < 2:
        raise UsageError("the page token is none that a search gave", hint="begin again without one")
    if payload[0] != _fingerprint(search):
        raise UsageError(
            "the page token is of another search", hint="keep filter and order while you turn pages"
        )
    values = payload[1:]
    if len(values) != len(keys) or not all(map(_SortKey.takes, keys, values)):
        raise UsageError("the page token is none that a search gave", hint="begin again without one")
    return values


def _fingerprint(search: Search) -> str:
    return hashlib.sha256(msgspec.json.encode(search)).hexdigest()[:16]
