"""MariaDB and MySQL through PyMySQL, told to speak the SQL of others."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pymysql
from pymysql.constants import CLIENT, ER, FIELD_TYPE, SERVER_STATUS
from pymysql.converters import conversions, escape_float
from sqlalchemy import URL
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from mlproj.store.servers.connection import Cursor
from mlproj.store.servers.faults import Cause, Fault

PATIENCE_S = 30
"""How long a row is waited for that somebody else holds."""
_CONNECT_S = 10
_LARGEST_PACKET = 1 << 30

_MODES = (
    "ANSI_QUOTES",
    "STRICT_ALL_TABLES",
    # The experiment `Default` is that with the id 0.
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_ENGINE_SUBSTITUTION",
    "ERROR_FOR_DIVISION_BY_ZERO",
)
_UNLESS_THERE = re.compile(r'^(INSERT INTO \w+ \(("?\w+"?).*) ON CONFLICT DO NOTHING$')
_OVER = re.compile(r" ON CONFLICT \([^)]*\) DO UPDATE SET ")
_EXCLUDED = re.compile(r'\bexcluded\.("?\w+"?)')
_TOGETHER = 1000
"""Rows: so many are one statement, which is carried out or not, whatever the driver makes of more."""
_GREATEST = sys.float_info.max

_CONFLICTS = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.DUP_ENTRY, 1020}
_GONE = {2002, 2003, 2006, 2013, 2055, 1053, 1079, 1080, 1040, 1152, 1158, 1159, 1160, 1161, 1927, 4031, 0}
_FULL = {1021, 1041, 1114, 3, 28}
_REFUSED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR, 1142, 1698}
_UNFIT = {ER.DATA_TOO_LONG, ER.WARN_DATA_OUT_OF_RANGE, 1366, 1153, 3988}


class MySQL:
    """A `Dialect`."""

    name = "mysql"
    holds = " FOR UPDATE"

    def __init__(self, url: URL) -> None:
        _, self._options = MySQLDialect_pymysql(dbapi=pymysql).create_connect_args(url)

    def connect(self, *, alone: bool = False, reading: bool = False) -> Any:
        options: dict[str, Any] = {"connect_timeout": _CONNECT_S, **self._options}
        options["client_flag"] = options.get("client_flag", 0) | CLIENT.FOUND_ROWS
        connection = pymysql.connect(
            **{**options, "charset": "utf8mb4"},
            conv=_CONVERSIONS,
            binary_prefix=True,
            autocommit=True,
            max_allowed_packet=_LARGEST_PACKET,
        )
        sees = "REPEATABLE READ, READ ONLY" if reading else "READ COMMITTED"
        collation = text_collation(str(connection.get_server_info()))  # type: ignore[no-untyped-call]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET SESSION sql_mode = '{','.join(_MODES)}', innodb_lock_wait_timeout = {PATIENCE_S},"
                f" collation_connection = '{collation}'"
            )
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {sees}")
        connection.autocommit(alone)
        return connection

    def translated(self, statement: str) -> str:
        statement = _UNLESS_THERE.sub(r"\1 ON DUPLICATE KEY UPDATE \2 = \2", statement)
        return _EXCLUDED.sub(r"VALUES(\1)", _OVER.sub(" ON DUPLICATE KEY UPDATE ", statement))

    def execute(self, connection: Any, statement: str, values: Sequence[object]) -> Cursor:
        cursor: Cursor = connection.cursor()
        cursor.execute(statement, tuple(values))  # type: ignore[attr-defined]
        return cursor

    def executemany(self, connection: Any, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def insert_new(
        self, connection: Any, statement: str, rows: Sequence[Sequence[object]]
    ) -> list[tuple[object, ...]]:
        added: list[tuple[object, ...]] = []
        with connection.cursor() as cursor:
            for start in range(0, len(rows), _TOGETHER):
                some = rows[start : start + _TOGETHER]
                # One that fails leaves nothing of itself, and the transaction as it was.
                if _inserted(partial(cursor.executemany, statement, some)):
                    added += map(tuple, some)
                else:
                    added += [
                        tuple(row) for row in some if _inserted(partial(cursor.execute, statement, row))
                    ]
        return added

    def in_transaction(self, connection: Any) -> bool:
        status: int = connection.server_status
        return bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def fault(self, error: BaseException) -> Fault | None:
        if not isinstance(error, pymysql.Error):
            return None
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        told = str(error.args[1]) if len(error.args) > 1 and error.args[1] else type(error).__name__
        return Fault(told.partition("\n")[0], _cause(error, number))


def _inserted(act: Callable[[], object]) -> bool:
    """Whether that was inserted; False where there is a row with one of the keys."""
    try:
        act()
    except pymysql.IntegrityError as error:
        if error.args[0] != ER.DUP_ENTRY:
            raise
        return False
    return True


def text_collation(version: str) -> str:
    """The collation by which texts are equal only where all their characters are, trailing spaces too."""
    return "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"


def _cause(error: pymysql.Error, number: int) -> Cause:
    for numbers, cause in (
        (_CONFLICTS, Cause.CONFLICT),
        (_REFUSED, Cause.REFUSED),
        (_FULL, Cause.FULL),
        (_UNFIT, Cause.UNFIT),
    ):
        if number in numbers:
            return cause
    if number in _GONE and isinstance(error, (pymysql.OperationalError, pymysql.InterfaceError)):
        return Cause.GONE
    return Cause.UNFIT if isinstance(error, pymysql.DataError) else Cause.OTHER


def _written(value: float, mapping: Any = None) -> str:
    """A number as it is sent. The greatest one stands for infinity, which is none there, as in MLflow."""
    finite = max(-_GREATEST, min(value, _GREATEST))
    text: str = escape_float(finite, mapping)
    return text


def _read(text: str) -> float:
    number = float(text)
    return math.copysign(math.inf, number) if abs(number) >= _GREATEST else number


_CONVERSIONS: Any = {**conversions, float: _written, FIELD_TYPE.DOUBLE: _read}
