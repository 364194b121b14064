from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from mlproj.errors import StoreError
from mlproj.model.run import Status
from mlproj.services.verify import verify
from mlproj.store import database, migrating, server_tables, tracking_tables, webhook_tables
from mlproj.store.database import FILE, VERSION, open_readonly
from mlproj.store.opening import open_store
from mlproj.store.tables import metadata
from tests.store.runs import begun, ended


def test_the_schema_text_is_what_the_migrations_make() -> None:
    text = Path(database.__file__).with_name("schema.sql").read_text()
    assert text == ";\n".join(migrating.statements()) + ";\n"


def test_the_version_is_that_of_the_newest_migration() -> None:
    assert migrating.head() == VERSION


def test_the_tables_are_what_the_migrations_make(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'store' / FILE}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        of_others = {tracking_tables.traces, server_tables.users, webhook_tables.webhooks}
        assert set(metadata.tables) >= {"runs", *(table.name for table in of_others)}
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_older_database_is_migrated_with_a_copy_kept(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(root / FILE)) as old, old:
        old.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    store = open_store(root, create=False)
    assert store.head()[0] == 0
    store.close()
    with contextlib.closing(sqlite3.connect(root / f"{FILE}.before-{VERSION}")) as copy:
        assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("alembic_version",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = ''",
        "UPDATE alembic_version SET version_num = '0000'",
        "DELETE FROM alembic_version",
    ],
)
def test_a_database_of_no_known_version_is_told(tmp_path: Path, statement: str) -> None:
    open_store(tmp_path / "store", create=True).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / FILE)) as damaged, damaged:
        damaged.execute(statement)
    with pytest.raises(StoreError, match="damaged"):
        open_store(tmp_path / "store", create=True)


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "store" / FILE)) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer mlproj"):
        open_store(tmp_path / "store", create=True)


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir()
    with contextlib.closing(sqlite3.connect(root / FILE)) as other, other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="not a database of mlproj"):
        open_store(root, create=True)


ADDED = (
    *(("experiments", column) for column in ("artifact_location", "updated")),
    *(("latest_metrics", column) for column in ("timestamp", "minimum", "maximum", "count")),
    *(("runs", column) for column in ("snapshot", "hidden_at", "started_ms", "ended_ms")),
    *(("runs", column) for column in ("logged_status", "owner")),
)
"""The columns that later versions added."""


def downgraded(root: Path) -> None:
    """Has a store look as the first version of the schema left it."""
    first = {
        "chain",
        "entries",
        "experiments",
        "inputs",
        "latest_metrics",
        "outputs",
        "params",
        "runs",
        "tags",
    }
    with contextlib.closing(sqlite3.connect(root / FILE)) as connection, connection:
        for index in ("runs_by_snapshot", "runs_by_experiment", "runs_by_owner", "runs_by_parent"):
            connection.execute(f"DROP INDEX {index}")
        for table in reversed([table.name for table in metadata.sorted_tables if table.name not in first]):
            connection.execute(f"DROP TABLE {table}")
        for table, column in ADDED:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("UPDATE params SET value = '2' WHERE value = '2.0'")
        connection.execute("UPDATE experiments SET id = 7")
        connection.execute("UPDATE runs SET experiment_id = 7")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")


def test_a_store_of_the_first_version_is_migrated_with_all_that_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "store"
    before = open_store(root, create=True)
    sealed, running = (begun(before.blobs, name=name, alpha=2.0) for name in ("sealed", "running"))
    with before.begin(sealed):
        before.seal(ended(before.blobs, sealed))
    before.amend(sealed.run_id, "tag", {"key": "reviewed", "value": "yes"})
    before.connection.execute("DELETE FROM tags")  # that version only had the amendment
    with before.begin(running):
        before.close()
        downgraded(root)
        store = open_store(root, create=False)
        assert verify(store).sound
        assert [store.index(run.run_id)["snapshot"] for run in (sealed, running)] == [
            run.job.source.snapshot for run in (sealed, running) if run.job is not None
        ]
        assert store.find("running").status is Status.RUNNING
        params = [store.index(run.run_id)["params"] for run in (sealed, running)]
        assert params == [{"alpha": ("2.0", "float"), "kind": ("linear model", "string")}] * 2
    with contextlib.closing(sqlite3.connect(root / f"{FILE}.before-{VERSION}")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert copy.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


def test_an_older_store_that_cannot_be_written_to_is_read_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "store"
    before = open_store(root, create=True)
    run = begun(before.blobs, name="sealed")
    with before.begin(run):
        before.seal(ended(before.blobs, run))
    before.close()
    downgraded(root)
    content = (root / FILE).read_bytes()
    with contextlib.closing(open_readonly(root)) as connection:
        assert connection.execute("SELECT name, snapshot IS NULL FROM runs").fetchall() == [("sealed", 0)]
    assert (root / FILE).read_bytes() == content
    assert not list(root.glob(f"{FILE}.before-*"))
