"""Which store a server serves, as its options name it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.store.database import open_readonly
from mlproj.store.opening import open_store
from mlproj.store.served import BESIDE, Chosen, chosen
from mlproj.wiring import artifacts_of, open_served, tracking_of
from mlproj.wiring import open_store as open_store_named
from tests.databases import KINDS, new_uri

POSTGRESQL = "postgresql+psycopg2://ada@host/runs"


@pytest.mark.parametrize(
    ("backend", "destination", "folder", "database"),
    [
        (None, None, None, None),
        ("runs/.mlproj", None, "{here}/runs/.mlproj", None),
        ("file:///srv/of%20us", None, "/srv/of us", None),
        ("sqlite:///runs/.mlproj/store.db", None, "{here}/runs/.mlproj", None),
        ("sqlite:////srv/.mlproj/store.db", None, "/srv/.mlproj", None),
        (POSTGRESQL, None, "{here}/mlproj-server", POSTGRESQL),
        (POSTGRESQL, "beside", "{here}/beside", POSTGRESQL),
        ("mysql://ada@host/runs", "file:///srv/beside", "/srv/beside", "mysql://ada@host/runs"),
    ],
)
def test_a_store_is_chosen(
    backend: str | None, destination: str | None, folder: str | None, database: str | None, tmp_path: Path
) -> None:
    meant = None if folder is None else folder.format(here=tmp_path)
    assert chosen(backend, destination, tmp_path) == Chosen(folder=meant, database=database)


@pytest.mark.parametrize(
    ("backend", "destination", "told"),
    [
        ("sqlite:///", None, "names no file"),
        ("sqlite://", None, "names no file"),
        ("file://host/runs", None, "cannot be kept at"),
    ],
)
def test_what_cannot_be_a_store_is_refused(
    backend: str, destination: str | None, told: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=told):
        chosen(backend, destination, tmp_path)


@pytest.mark.parametrize(
    ("backend", "destination", "folder"),
    [("runs", "elsewhere", "runs"), (POSTGRESQL, "s3://bucket/team", BESIDE)],
)
def test_contents_may_be_elsewhere(backend: str, destination: str, folder: str, tmp_path: Path) -> None:
    found = chosen(backend, destination, tmp_path)
    assert (found.folder, found.contents) == (str(tmp_path / folder), destination)


def test_mlflows_own_database_is_told_apart(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as mlflows, mlflows:
        mlflows.execute("CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY)")
    with pytest.raises(StoreError, match="MLflow's") as refused:
        chosen("sqlite:///mlflow.db", None, tmp_path)
    assert "mlproj import-mlflow sqlite:///mlflow.db" in (refused.value.hint or "")


def test_a_folder_is_opened_whoever_names_its_database(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True).close()
    opened = open_served("sqlite:///store/store.db", None, os.environ, tmp_path)
    assert opened.root == tmp_path / "store"


def test_a_file_of_any_name_is_a_database_with_the_folder_beside_it(tmp_path: Path) -> None:
    store = open_served("sqlite:///runs.db", None, os.environ, tmp_path)
    with contextlib.closing(store), contextlib.closing(tracking_of(store)) as tracking:
        made = tracking.experiments.create("of a team").experiment_id
    assert store.root == tmp_path / BESIDE and (tmp_path / "runs.db").stat().st_mode & 0o777 == 0o600
    for name in ("sqlite:///runs.db", f"sqlite:///{tmp_path}/runs.db", str(tmp_path / BESIDE)):
        found = open_store_named(os.environ, tmp_path, name, create=False)
        with contextlib.closing(open_readonly(tmp_path / BESIDE)) as seen:
            assert seen.execute("SELECT count(*) FROM experiments").fetchone() == (2,)
        with contextlib.closing(found), contextlib.closing(tracking_of(found)) as tracking:
            assert tracking.experiments.get(made).name == "of a team"
    with pytest.raises(StoreError, match="has another database than"):
        open_served("sqlite:///others.db", None, os.environ, tmp_path)
    with pytest.raises(StoreError, match="holds something already"):
        open_served("sqlite:///runs.db", "new", os.environ, tmp_path)
    with pytest.raises(StoreError, match="there is no store"):
        open_store_named(os.environ, tmp_path / "new", "sqlite:///others.db", create=False)
    assert not (tmp_path / "others.db").exists() and not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_opened_with_the_folder_beside_it(kind: str, tmp_path: Path) -> None:
    store = open_served(new_uri(kind), "beside", os.environ, tmp_path)
    with contextlib.closing(tracking_of(store)) as tracking:
        assert tracking.experiments.get("0").name == "Default"
    assert not artifacts_of(store).list("runs/none/artifacts")
    assert (store.root, store.head()[0]) == (tmp_path / "beside", 0)
