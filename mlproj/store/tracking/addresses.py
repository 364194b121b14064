"""Addresses of files in the store, kept as seen from its folder: the store may be moved, and is copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal

from mlproj.errors import UsageError
from mlproj.store.needless import MARK
from mlproj.store.tracking.engine import root_of


def kept(root: Path, address: str) -> str:
    """An address as it is written down. Raises UsageError for what only means something in here."""
    if address.startswith(MARK):
        raise UsageError(f"`{address}` is no address that a client can give")
    inside = f"{root.as_uri()}/"
    return MARK + address[len(inside) :] if address.startswith(inside) else address


def told(connection: Connection, written: str) -> str:
    """The address as clients know it."""
    return f"{root_of(connection).as_uri()}/{written[len(MARK) :]}" if written.startswith(MARK) else written


def searched(root: Path, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as `told` tells its values."""
    whole = literal(f"{root.as_uri()}/").concat(func.substr(column, len(MARK) + 1))
    return case((func.substr(column, 1, len(MARK)) == MARK, whole), else_=column)
