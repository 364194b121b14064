"""Which store a server serves, as its options name it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.store.opening import open_store
from mlproj.store.served import Chosen, chosen
from mlproj.wiring import artifacts_of, open_served, tracking_of
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
        ("runs", "elsewhere", "keeps its files in that folder"),
        ("sqlite:///runs/tracking.db", None, "is not the database of a store"),
        ("sqlite://", None, "is not the database of a store"),
        (POSTGRESQL, "gopher://host/files", "cannot be kept at"),
        ("file://host/runs", None, "cannot be kept at"),
    ],
)
def test_what_cannot_be_a_store_is_refused(
    backend: str, destination: str | None, told: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=told):
        chosen(backend, destination, tmp_path)


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_opened_with_the_folder_beside_it(kind: str, tmp_path: Path) -> None:
    store = open_served(new_uri(kind), "beside", os.environ, tmp_path)
    with contextlib.closing(tracking_of(store)) as tracking:
        assert tracking.experiments.get("0").name == "Default"
    assert not artifacts_of(store).list("runs/none/artifacts")
    assert (store.root, store.head()[0]) == (tmp_path / "beside", 0)
