"""Plain SQL as the runner writes it, over each kind of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlproj.store.database import transaction
from mlproj.store.servers.connection import ServerConnection
from mlproj.store.servers.database import ServerDatabase
from mlproj.store.servers.faults import Cause, Fault
from tests.databases import KINDS, new_uri

TAG = 'INSERT INTO tags (run_id, "key", value) VALUES (?, ?, ?)'


@pytest.fixture(params=KINDS)
def connection(request: pytest.FixtureRequest) -> Iterator[ServerConnection]:
    database = ServerDatabase(new_uri(request.param))
    database.found(create=True)
    connection = database.connection()
    begun = "INSERT INTO runs (run_id, name, experiment_id, status, created) VALUES (?, ?, ?, ?, ?)"
    connection.execute(begun, ("r", "heron", 0, "RUNNING", "now"))
    yield connection
    connection.close()


def keys(connection: ServerConnection) -> list[str]:
    return [key for (key,) in connection.execute('SELECT "key" FROM tags ORDER BY "key"')]


def test_marks_and_percent_signs_are_what_they_are_in_sqlite(connection: ServerConnection) -> None:
    query = "SELECT name FROM runs WHERE name LIKE 'h%' AND (run_id = ?1 OR name = ?2 OR run_id = ?1)"
    assert connection.execute(query, ("r", "x")).fetchone()[0] == "heron"
    assert connection.execute("SELECT name FROM runs WHERE name LIKE '%x'").fetchone() is None


def test_a_transaction_is_kept_or_not(connection: ServerConnection) -> None:
    with transaction(connection):
        connection.execute(TAG, ("r", "kept", "1"))
    with pytest.raises(KeyError), transaction(connection):
        connection.execute(TAG, ("r", "dropped", "1"))
        raise KeyError
    assert keys(connection) == ["kept"] and not connection.in_transaction


def test_texts_are_alike_only_byte_for_byte(connection: ServerConnection) -> None:
    given = ["A", "a", "a ", "é", "e", "\U0001f600", "%s", "\\", "'"]
    connection.executemany(TAG, [("r", key, "x") for key in given])
    assert keys(connection) == sorted(given)


def test_rows_that_are_there_are_told_apart_from_new_ones(connection: ServerConnection) -> None:
    rows = [("r", key, "1") for key in "abc"]
    assert connection.insert_new(TAG, rows[:2]) == rows[:2]
    assert connection.insert_new(TAG, rows) == rows[2:]
    connection.executemany(f"{TAG} ON CONFLICT DO NOTHING", rows)
    put = f'{TAG} ON CONFLICT (run_id, "key") DO UPDATE SET value = excluded.value'
    connection.executemany(put, [("r", "c", "2"), ("r", "d", "2")])
    found = [tuple(row) for row in connection.execute('SELECT "key", value FROM tags ORDER BY "key"')]
    assert found == [("a", "1"), ("b", "1"), ("c", "2"), ("d", "2")]


def test_what_a_server_has_against_it_is_told_by_what_it_means(connection: ServerConnection) -> None:
    connection.execute(TAG, ("r", "a", "1"))
    with pytest.raises(Fault) as twice:
        connection.execute(TAG, ("r", "a", "1"))
    with pytest.raises(Fault) as without_run:
        connection.execute(TAG, ("nobody", "a", "1"))
    with pytest.raises(Fault) as nonsense:
        connection.execute("SELECT nothing FROM nowhere")
    causes = [caught.value.cause for caught in (twice, without_run, nonsense)]
    assert causes == [Cause.CONFLICT, Cause.OTHER, Cause.OTHER]
    assert keys(connection) == ["a"]
