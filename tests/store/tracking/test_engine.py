from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from mlproj.errors import StoreError
from mlproj.store.database import FILE
from mlproj.store.opening import open_store
from mlproj.store.tables import experiments
from mlproj.store.tracking.engine import Database
from mlproj.store.tracking.opening import open_tracking

ROW = {"name": "x", "created": "2026-01-01T00:00:00.000Z"}


def test_what_fails_inside_is_not_written(tmp_path: Path) -> None:
    database = Database(open_store(tmp_path / "store", create=True))
    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute(insert(experiments).values(**ROW))
        raise RuntimeError
    with database.writing() as connection:
        connection.execute(insert(experiments).values(**ROW))
    with database.reading() as connection:
        assert connection.execute(select(experiments.c.name)).scalars().all() == ["Default", "x"]
    database.close()


def test_a_reader_sees_one_state_while_others_write(tmp_path: Path) -> None:
    database = Database(open_store(tmp_path / "store", create=True))
    names = select(experiments.c.name)
    with database.reading() as reading:
        before = reading.execute(names).all()
        with database.writing() as writing:
            writing.execute(insert(experiments).values(**ROW))
        assert reading.execute(names).all() == before
    database.close()


def test_a_damaged_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = open_store(root, create=True)
    tracking = open_tracking(store)
    assert tracking.experiments.get("0").name == "Default"
    tracking.close()
    with contextlib.closing(sqlite3.connect(root / FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray((root / FILE).read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (root / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        tracking.experiments.get("0")
    tracking.close()
    store.close()
