"""A database at a server becomes a store once, however many come; never that of another, or a newer one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from mlproj.errors import Busy, StoreError
from mlproj.store import server_tables, webhook_tables
from mlproj.store.database import VERSION
from mlproj.store.opening import open_served_store, open_store
from mlproj.store.servers.database import ServerDatabase
from mlproj.store.servers.schema import VERSIONS
from mlproj.store.tables import metadata
from tests.databases import KINDS, new_uri

OPEN = """
import sys
from pathlib import Path
from mlproj.store.opening import open_served_store
print(open_served_store(sys.argv[1], Path(sys.argv[2]), create=True).head()[0])
"""


@pytest.fixture(params=KINDS)
def uri(request: pytest.FixtureRequest) -> str:
    return new_uri(request.param)


def tables(uri: str, act: Callable[[Engine], None]) -> None:
    engine = ServerDatabase(uri).engine(reading=False)
    act(engine)
    engine.dispose()


def execute(uri: str, *statements: str) -> None:
    def act(engine: Engine) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    tables(uri, act)


def test_several_processes_that_come_at_once_make_it_once(uri: str, tmp_path: Path) -> None:
    command = (sys.executable, "-c", OPEN, uri, str(tmp_path / "beside"))
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        told, complaint = process.communicate(timeout=120)
        assert (told, process.returncode) == (b"0\n", 0), complaint.decode()


def test_it_holds_every_table_at_our_version(uri: str, tmp_path: Path) -> None:
    open_served_store(uri, tmp_path / "beside", create=True).close()

    def look(engine: Engine) -> None:
        assert set(inspect(engine).get_table_names()) == {*metadata.tables, VERSIONS}
        with engine.connect() as connection:
            assert connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar() == VERSION

    tables(uri, look)


def test_an_empty_one_is_left_alone_unless_it_is_to_be_made(uri: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in it"):
        open_served_store(uri, tmp_path / "beside", create=False)

    def look(engine: Engine) -> None:
        assert inspect(engine).get_table_names() == []

    tables(uri, look)


def test_what_was_cut_short_is_made_to_its_end(uri: str, tmp_path: Path) -> None:
    open_served_store(uri, tmp_path / "beside", create=True).close()
    execute(uri, "DROP TABLE audit", f"DELETE FROM {VERSIONS}")
    store = open_served_store(uri, tmp_path / "beside", create=True)
    assert store.head()[0] == 0
    store.close()
    execute(uri, "SELECT count(*) FROM audit")


def test_an_older_one_is_migrated(uri: str, tmp_path: Path) -> None:
    open_served_store(uri, tmp_path / "beside", create=True).close()
    added = {*vars(server_tables), *vars(webhook_tables), "registry_entries", "registered_model_rules"}
    newest = [table.name for table in reversed(metadata.sorted_tables) if table.name in added]
    execute(uri, *(f"DROP TABLE {name}" for name in newest), f"UPDATE {VERSIONS} SET version_num = '0004'")
    open_served_store(uri, tmp_path / "beside", create=True).close()
    execute(uri, *(f"SELECT count(*) FROM {name}" for name in newest))


def test_a_newer_one_is_left_alone(uri: str, tmp_path: Path) -> None:
    open_served_store(uri, tmp_path / "beside", create=True).close()
    execute(uri, f"UPDATE {VERSIONS} SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer mlproj"):
        open_served_store(uri, tmp_path / "beside", create=True)


def test_mlflows_is_left_alone(uri: str, tmp_path: Path) -> None:
    execute(
        uri,
        f"CREATE TABLE {VERSIONS} (version_num VARCHAR(32) NOT NULL)",
        f"INSERT INTO {VERSIONS} VALUES ('867495a8f9d4')",
    )
    with pytest.raises(StoreError, match="MLflow") as refused:
        open_served_store(uri, tmp_path / "beside", create=True)
    assert "import-mlflow" in (refused.value.hint or "")


def test_one_of_something_else_is_left_alone(uri: str, tmp_path: Path) -> None:
    execute(uri, "CREATE TABLE letters (id INTEGER PRIMARY KEY)")
    with pytest.raises(StoreError, match="`letters`"):
        open_served_store(uri, tmp_path / "beside", create=True)


def test_a_folder_with_a_database_in_it_goes_with_no_other(uri: str, tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    with pytest.raises(StoreError, match="holds a store whose database is in it"):
        open_served_store(uri, tmp_path / "store", create=True)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql://127.0.0.1:1/name", "cannot be reached"),
        ("mysql://root:hidden@127.0.0.1:1/name", "cannot be reached"),
        ("postgresql://127.0.0.1", "names no database"),
        ("oracle://host/name", "of the kind `oracle`"),
        ("nonsense", "cannot be read"),
    ],
)
def test_a_uri_that_leads_nowhere_is_told_without_its_password(uri: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=told) as refused:
        open_served_store(uri, tmp_path / "beside", create=True)
    assert isinstance(refused.value, Busy) == (told == "cannot be reached")
    assert "hidden" not in f"{refused.value.message}{refused.value.hint}"
