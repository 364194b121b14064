"""Rows of a database whose tables are found as they are: earlier versions have fewer, with fewer columns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import MetaData, Select, Table, func, inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from mlproj.errors import StoreError
from mlproj.model.tracking import Pairs

_AT_ONCE = 400
"""So many values are looked for in one statement."""
_PAGE = 2000
_OURS = "entries"
"""A table of our own stores that MLflow has none of."""


class Rows:
    """The rows of the database behind an engine, which errors call `shown`. Nothing is written."""

    def __init__(self, engine: Engine, shown: str) -> None:
        self._engine = engine
        self._shown = shown
        self._tables: dict[str, Table] = {}
        with self._explained():
            self._names = frozenset(inspect(engine).get_table_names())

    def require(self, *names: str) -> None:
        """Raises StoreError where there is no such table: the database is none of MLflow's."""
        missing = [name for name in names if name not in self._names]
        if _OURS in self._names:
            raise StoreError(f"`{self._shown}` is a store of mlproj's, and none of MLflow's")
        if missing:
            raise StoreError(f"`{self._shown}` is no database of MLflow's: it has no table `{missing[0]}`")

    def all(self, name: str, /, order: str | Sequence[str] = (), **where: Any) -> Iterator[dict[str, Any]]:
        """Every row where each of these columns has the value, or one of the values; none of a table that
        there is not."""
        table = self._table(name)
        if table is None:
            return
        many = [column for column, value in where.items() if isinstance(value, (list, tuple))]
        ordered = (order,) if isinstance(order, str) else order
        for narrowed in _in_parts(where, many[0] if many else None):
            statement = select(table).order_by(*(table.c[column] for column in ordered if column in table.c))
            for column, value in narrowed.items():
                is_many = isinstance(value, (list, tuple))
                statement = statement.where(
                    table.c[column].in_(value) if is_many else table.c[column] == value
                )
            yield from self._read(statement)

    def pairs(
        self, name: str, of: str, key: str = "key", value: str = "value", /, **where: Any
    ) -> dict[Any, Pairs]:
        """The keys with their values that each thing has, by the column that names the thing."""
        found: dict[Any, dict[str, str]] = {}
        for row in self.all(name, **where):
            found.setdefault(row[of], {})[row[key]] = row[value] or ""
        return {thing: tuple(sorted(pairs.items())) for thing, pairs in found.items()}

    def count(self, name: str, /, **where: Any) -> int:
        table = self._table(name)
        if table is None:
            return 0
        statement = select(func.count()).select_from(table)
        for column, value in where.items():
            statement = statement.where(table.c[column] == value)
        with self._explained(), self._engine.connect() as connection:
            return int(connection.execute(statement).scalar_one())

    def _read(self, statement: Select[Any]) -> Iterator[dict[str, Any]]:
        with self._explained(), self._engine.connect() as connection:
            result = connection.execution_options(stream_results=True, yield_per=_PAGE).execute(statement)
            for row in result.mappings():
                yield dict(row)

    def _table(self, name: str) -> Table | None:
        if name not in self._names:
            return None
        if name not in self._tables:
            with self._explained():
                # Without the tables that it refers to: nothing is asked across.
                self._tables[name] = Table(name, MetaData(), autoload_with=self._engine, resolve_fks=False)
        return self._tables[name]

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(f"the database `{self._shown}` cannot be read: {cause}") from error


def _in_parts(where: dict[str, Any], many: str | None) -> Iterator[dict[str, Any]]:
    """The conditions, once for each stretch of the values of the column that has many."""
    if many is None:
        yield where
        return
    values = where[many]
    for start in range(0, len(values), _AT_ONCE):
        yield {**where, many: values[start : start + _AT_ONCE]}
