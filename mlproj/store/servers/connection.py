"""A connection to a database server that is spoken to as SQLite is: `?` for values, rows as tuples.

What the runner writes is plain SQL for `sqlite3`, so it is translated here and need not know the difference.
A connection that broke is made anew for the next statement, since servers are restarted while we go on.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from mlproj.store.servers.faults import Cause, Fault

_Answer = TypeVar("_Answer")

_MARK = re.compile(r"\?(\d*)|%")
_AT_ONCE = 5000
"""So many rows are sent together."""
_REPEATABLE = ("SELECT", "BEGIN")
"""How statements begin that may be sent again to a server that came back."""


class Cursor(Protocol):
    """What a statement found, as drivers tell it."""

    @property
    def description(self) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class Dialect(Protocol):
    """One kind of server, reached through its driver, at one address."""

    @property
    def name(self) -> str:
        """As SQLAlchemy calls it."""

    @property
    def holds(self) -> str:
        """What a query ends with whose rows nobody else may change before the transaction ends."""

    def connect(self, *, alone: bool = False, reading: bool = False) -> Any:
        """A connection of the driver's. With `alone` each statement is a transaction unless one is begun;
        with `reading`, all in a transaction see one state, and none writes. Raises the driver's errors."""

    def translated(self, statement: str) -> str:
        """A statement with what this kind of server calls otherwise in its own words."""

    def execute(self, connection: Any, statement: str, values: Sequence[object]) -> Cursor: ...

    def executemany(self, connection: Any, statement: str, rows: Sequence[Sequence[object]]) -> None: ...

    def insert_new(
        self, connection: Any, statement: str, rows: Sequence[Sequence[object]]
    ) -> list[tuple[object, ...]]:
        """Carries out an `INSERT INTO table (...) VALUES (...)` for those of the rows whose key is not there
        yet, and returns them."""

    def in_transaction(self, connection: Any) -> bool: ...

    def fault(self, error: BaseException) -> Fault | None:
        """What an error of the driver's means; None for one that is not the driver's."""


class ServerConnection:
    """Serves those who write plain SQL. Like `sqlite3`'s in autocommit: `BEGIN`, `COMMIT` and `ROLLBACK` are
    statements. Raises Fault for what the server does not do."""

    def __init__(self, dialect: Dialect, driver: Any = None) -> None:
        self._dialect = dialect
        self._driver = driver
        self._own = driver is None

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def driver(self) -> Any:
        """The driver's connection, opened if need be. Raises Fault."""
        return self._act("SELECT", lambda driver: driver)

    @property
    def in_transaction(self) -> bool:
        return self._driver is not None and self._dialect.in_transaction(self._driver)

    def execute(self, statement: str, values: Sequence[object] = ()) -> Cursor:
        written, places = _written(self._dialect.translated, statement)
        cells = tuple(values) if places is None else tuple(values[place] for place in places)
        return self._act(statement, lambda driver: self._dialect.execute(driver, written, cells))

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        written, _ = _written(self._dialect.translated, statement)
        rest = iter(rows)
        while some := tuple(itertools.islice(rest, _AT_ONCE)):
            self._act(statement, functools.partial(self._send, written, some))

    def _send(self, written: str, rows: Sequence[Sequence[object]], driver: Any) -> None:
        self._dialect.executemany(driver, written, rows)

    def insert_new(self, statement: str, rows: Sequence[Sequence[object]]) -> list[tuple[object, ...]]:
        """As that of `Dialect`, in a few statements however many rows there are."""
        written, _ = _written(self._dialect.translated, statement)
        return self._act(statement, lambda driver: self._dialect.insert_new(driver, written, rows))

    def close(self) -> None:
        self._let_go()

    def _act(self, statement: str, act: Callable[[Any], _Answer]) -> _Answer:
        while True:
            known, begun = self._driver is not None, self.in_transaction
            try:
                if self._driver is None:
                    self._driver = self._dialect.connect(alone=True)
                return act(self._driver)
            except Exception as error:
                fault = self._dialect.fault(error)
                if fault is None:
                    raise
                if fault.cause is Cause.GONE:
                    if self._own:
                        self._let_go()
                    if statement == "COMMIT":
                        fault = Fault(fault.told, Cause.UNSURE)
                    elif self._own and known and not begun and statement.startswith(_REPEATABLE):
                        continue
                raise fault from error

    def _let_go(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            try:
                driver.close()
            except Exception as error:
                if self._dialect.fault(error) is None:
                    raise


@functools.lru_cache(maxsize=1000)
def _written(translated: Callable[[str], str], statement: str) -> tuple[str, tuple[int, ...] | None]:
    """A statement with `%s` for `?`, and where its values are numbered (`?1`), the place of each."""
    places: list[int] = []

    def mark(found: re.Match[str]) -> str:
        if found[0] == "%":
            return "%%"
        if found[1]:
            places.append(int(found[1]) - 1)
        return "%s"

    return _MARK.sub(mark, translated(statement)), tuple(places) or None
