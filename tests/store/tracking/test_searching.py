from __future__ import annotations

import base64
import contextlib
import json
import math
import re
import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, insert, select
from sqlalchemy.pool import StaticPool

from mlproj.errors import UsageError
from mlproj.model.index import number_in
from mlproj.model.search import AllOf, Comparison, Key, Kind, Operator, Search
from mlproj.model.tracking import Page
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from mlproj.store.servers.database import ServerDatabase
from mlproj.store.tables import experiments, latest_metrics, metadata, params, runs, tags
from mlproj.store.tracking.paging import found
from mlproj.store.tracking.searching import Columns, Detail, Last
from mlproj.store.tracking_tables import dataset_inputs, datasets
from tests.databases import KINDS, new_uri
from tests.store.tracking.searches import (
    FOUND,
    FOUND_HERE,
    FOUND_SINCE_3,
    ORDERED,
    ORDERED_HERE,
    RUNS,
    SomeRun,
)

OF_RUN = {"run_id": runs.c.run_id}
READ = (
    select(dataset_inputs.c.run_id, dataset_inputs.c.context, datasets.c.name, datasets.c.digest)
    .join(datasets, datasets.c.id == dataset_inputs.c.dataset_id)
    .subquery()
)
COLUMNS = Columns(
    attributes={
        "run_id": runs.c.run_id,
        "run_name": runs.c.name,
        "status": runs.c.status,
        "user_id": runs.c.user_name,
        "artifact_uri": runs.c.run_id,
        "start_time": runs.c.started_ms,
        "end_time": runs.c.ended_ms,
    },
    details={
        Kind.METRIC: Detail(table=latest_metrics, of=OF_RUN),
        Kind.PARAM: Detail(table=params, of=OF_RUN, number="number"),
        Kind.TAG: Detail(table=tags, of=OF_RUN),
        Kind.DATASET: Detail(table=READ, of=OF_RUN, key=None),
    },
    last=(Last(func.coalesce(runs.c.started_ms, 0), descending=True), Last(runs.c.run_id)),
)


@pytest.fixture(scope="module", params=("sqlite", *KINDS))
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with opened(request.param) as connection:
        yield connection


@pytest.fixture(scope="module")
def connections() -> Iterator[Sequence[Connection]]:
    """To the same runs in each kind of database."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(opened(kind)) for kind in ("sqlite", *KINDS)]


@contextlib.contextmanager
def opened(kind: str) -> Iterator[Connection]:
    if kind == "sqlite":
        engine = create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(engine)
    else:
        database = ServerDatabase(new_uri(kind))
        database.found(create=True)
        engine = database.engine(reading=False)
    with engine.connect() as connection:
        connection.execute(insert(experiments), {"id": 1, "name": "e", "created": "now"})
        for number, run in enumerate(RUNS):
            add(connection, number, run)
        yield connection
    engine.dispose()


def add(connection: Connection, number: int, run: SomeRun) -> None:
    run_id = f"{number:032x}"
    row = {"run_id": run_id, "name": run.name, "experiment_id": 1, "status": run.status, "created": "now"}
    connection.execute(insert(runs), {**row, "started_ms": run.start_time})
    for key, values in run.metrics.items():
        value = None if math.isnan(values[-1]) else values[-1]
        connection.execute(insert(latest_metrics), {"run_id": run_id, "key": key, "value": value, "step": 0})
    for key, text in run.params.items():
        param = {"run_id": run_id, "key": key, "value": text, "type": "string", "number": number_in(text)}
        connection.execute(insert(params), param)
    for key, text in run.tags.items():
        connection.execute(insert(tags), {"run_id": run_id, "key": key, "value": text})
    if run.dataset is not None:
        name, digest, context = run.dataset
        row = {"name": name, "digest": digest, "source_type": "local", "source": "s"}
        made = connection.execute(insert(datasets), {"experiment_id": 1, **row})
        (dataset_id,) = made.inserted_primary_key or (None,)
        read = {"run_id": run_id, "dataset_id": dataset_id, "context": context, "tags": "{}"}
        connection.execute(insert(dataset_inputs), read)


def one_page(
    connection: Connection, search: Search, *, limit: int = 100, token: str | None = None
) -> tuple[list[str], str | None]:
    rows, following = found(connection, select(runs.c.name), search, COLUMNS, Page(limit=limit, token=token))
    return [row.name for row in rows], following


def names(connection: Connection, filter: str, order_by: Sequence[str] = ()) -> str:
    found, token = one_page(connection, read_search(Subject.RUNS, filter, order_by))
    assert token is None
    return ", ".join(found)


SEARCHES = (*FOUND, *FOUND_SINCE_3, *FOUND_HERE)


@pytest.mark.parametrize(("filter", "expected"), SEARCHES, ids=[filter for filter, _ in SEARCHES])
def test_a_filter_finds_what_fits(connection: Connection, filter: str, expected: str) -> None:
    assert names(connection, filter) == expected


@pytest.mark.parametrize(("order_by", "expected"), (*ORDERED, *ORDERED_HERE))
def test_runs_are_sorted(connection: Connection, order_by: Sequence[str], expected: str) -> None:
    assert names(connection, "", order_by) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("order_by", "expected"), (((), FOUND[0][1]), *ORDERED, *ORDERED_HERE))
def test_pages_follow_each_other(
    connection: Connection, order_by: Sequence[str], expected: str, limit: int
) -> None:
    search = read_search(Subject.RUNS, "start_time > 0", order_by)
    seen, token = one_page(connection, search, limit=limit)
    while token is not None:
        more, token = one_page(connection, search, limit=limit, token=token)
        assert 1 <= len(more) <= limit
        seen += more
    assert ", ".join(seen) == expected


def test_what_comes_in_between_moves_nothing(connection: Connection) -> None:
    search = read_search(Subject.RUNS, "", ["metrics.rmse"])
    first, token = one_page(connection, search, limit=2)
    with connection.begin_nested() as savepoint:
        add(connection, 90, SomeRun(name="fir", start_time=9000, metrics={"rmse": (-9.0,)}))
        add(connection, 91, SomeRun(name="gum", start_time=9001, metrics={"rmse": (0.15,)}))
        second, _ = one_page(connection, search, limit=2, token=token)
        savepoint.rollback()
    assert (first, second) == (["date palm", "ash"], ["gum", "Birch"])


def test_a_token_is_of_one_search(connection: Connection) -> None:
    _, token = one_page(connection, read_search(Subject.RUNS, "start_time > 0"), limit=1)
    with pytest.raises(UsageError, match="of another search"):
        one_page(connection, read_search(Subject.RUNS, "start_time > 1"), token=token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_token_raises_anything_but_a_usage_error(connection: Connection, data: st.DataObject) -> None:
    search = read_search(Subject.RUNS, "", ["run_name", "start_time", "metrics.rmse"])
    _, token = one_page(connection, search, limit=1)
    assert token is not None
    place = data.draw(st.integers(0, len(token) - 1))
    altered = token[:place] + data.draw(st.text(max_size=3)) + token[place + 1 :]
    for text in (altered, data.draw(st.text(min_size=1)), forged(token, data)):
        try:
            one_page(connection, search, token=text)
        except UsageError as error:
            assert error.hint is not None


def forged(token: str, data: st.DataObject) -> str:
    """A token with other values in it."""
    payload = json.loads(base64.urlsafe_b64decode(token))
    value = st.none() | st.text() | st.floats() | st.integers() | st.booleans() | st.just(10**400)
    payload[1:] = data.draw(st.lists(value, min_size=len(payload) - 1, max_size=len(payload)))
    return base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, pattern=st.text("aAbB%_!\\é", max_size=5) | TEXT)
def test_like_minds_case_and_knows_two_wild_characters(
    connection: Connection, text: str, pattern: str
) -> None:
    where = Comparison(key=Key(kind=Kind.TAG, name="k"), operator=Operator.LIKE, values=(pattern,))
    parts = (".*" if part == "%" else "." if part == "_" else re.escape(part) for part in pattern)
    expected = re.fullmatch("".join(parts), text, re.DOTALL) is not None
    with connection.begin_nested() as savepoint:
        add(connection, 92, SomeRun(name="oak", start_time=1, tags={"k": text}))
        found, _ = one_page(connection, Search(where=where))
        savepoint.rollback()
    assert (found == ["oak"]) is expected


def test_all_of_nothing_is_everything(connection: Connection) -> None:
    assert len(one_page(connection, Search(where=AllOf((AllOf(), AllOf()))))[0]) == len(RUNS)


def test_a_search_as_large_as_a_filter_may_be_is_answered(connection: Connection) -> None:
    """The database has bounds of its own, on the depth of an expression and on joins."""
    wide = " OR ".join(["tags.owner LIKE 'The Quick Brown Fox Jumps Over A Lazy Dog'"] * 200)
    assert names(connection, wide) == ""
    deep = "metrics.rmse > 9"
    for level in range(19):
        join = "AND" if level % 2 else "OR"
        deep = f"({deep}) {join} (metrics.rmse > 8 AND metrics.rmse < 9)"
    assert names(connection, deep) == ""
    many = ", ".join(f"'{number}'" for number in range(10_000))
    assert names(connection, f"run_id IN ({many})") == ""
    assert names(connection, "", [f"metrics.m{number}" for number in range(20)]) == FOUND[0][1]


KEYS = st.sampled_from(
    ["metrics.rmse", "params.alpha", "tags.`x y`", "run_id", "start_time", "datasets.name"]
)
VALUES = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.text(max_size=20).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.sampled_from(["'; DROP TABLE runs; --'", "'x' OR 1=1", "(SELECT link FROM chain)", "'%_!'"]),
)
SIGNS = st.sampled_from(["=", "!=", "<", ">=", "LIKE", "ILIKE"])
LEAVES = st.one_of(
    st.builds("{} {} {}".format, KEYS, SIGNS, VALUES),
    st.builds("{} {} ({}, {})".format, KEYS, st.sampled_from(["IN", "NOT IN"]), VALUES, VALUES),
    st.builds("{} {}".format, KEYS, st.sampled_from(["IS NULL", "IS NOT NULL"])),
)
FILTERS = st.recursive(
    LEAVES, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner)
)
OF_RUNS = {
    table.name for table in (runs, latest_metrics, params, tags, dataset_inputs, datasets, experiments)
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(filter=FILTERS, order_by=st.lists(KEYS, max_size=2, unique=True), limit=st.integers(1, 3))
def test_every_database_finds_the_same(
    connections: Sequence[Connection], filter: str, order_by: list[str], limit: int
) -> None:
    try:
        search = read_search(Subject.RUNS, filter, order_by)
    except UsageError:
        return
    first = one_page(connections[0], search, limit=limit)
    for connection in connections[1:]:
        assert one_page(connection, search, limit=limit) == first
    if first[1] is not None:
        second, *others = (one_page(each, search, limit=limit, token=first[1]) for each in connections)
        assert others == [second] * len(others)


@pytest.mark.parametrize("connection", ["sqlite"], indirect=True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(filter=FILTERS, order_by=st.lists(KEYS, max_size=2, unique=True), limit=st.integers(1, 3))
def test_whatever_is_read_is_answered_from_the_tables_of_runs(
    connection: Connection, filter: str, order_by: list[str], limit: int
) -> None:
    try:
        search = read_search(Subject.RUNS, filter, order_by)
    except UsageError:
        return
    with touched(connection) as tables:
        _, token = one_page(connection, search, limit=limit)
        if token is not None:
            one_page(connection, search, limit=limit, token=token)
    assert {"runs"} <= tables <= OF_RUNS


@contextlib.contextmanager
def touched(connection: Connection) -> Iterator[set[str]]:
    """The tables that the database reads meanwhile. It is allowed nothing else."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    tables: set[str] = set()

    def judge(action: int, table: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table:
            tables.add(table)
        allowed = action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    driver.set_authorizer(judge)
    try:
        yield tables
    finally:
        driver.set_authorizer(lambda *_: sqlite3.SQLITE_OK)  # None is for Python 3.11 on
