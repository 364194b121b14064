"""Which run a version of a model stands for when its rules are looked at: the one whose files it has."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.errors import NotPromoted
from mlproj.model.registry import Case, ModelVersion, RegisteredModel, Stage
from mlproj.model.rules import Check, Sees
from mlproj.services.promotion import judge
from mlproj.services.verify import verify
from mlproj.store.database import FILE
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from mlproj.tracking_ports import Tracking
from tests.services.test_promotion import record
from tests.store.runs import begun

RULES = "rules:\n  metrics:\n    rmse: {at_most: 0.8}\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    opened = open_store(tmp_path / "store", create=True)
    yield opened
    opened.close()


@pytest.fixture
def runs(store: FolderStore) -> tuple[str, str]:
    """A good one and a bad one."""
    good = record(store, begun(store.blobs, name="good"), rmse=0.5)
    bad = record(store, begun(store.blobs, name="bad"), rmse=0.9)
    return good.run_id, bad.run_id


def judged(store: FolderStore, tracking: Tracking, version: ModelVersion, sees: Sees) -> tuple[Check, ...]:
    case = Case(version=version, current=None, sees=sees, thorough=True)
    return judge(store, tracking, wiring.artifacts_of(store), RULES, case)


def checked(store: FolderStore, tracking: Tracking, source: str, run_id: str | None) -> Check:
    version = ModelVersion(name="wine", version=1, created=0, updated=0, source=source, run_id=run_id)
    (check,) = judged(store, tracking, version, lambda run_id: True)
    return check


def sources(store: FolderStore, tracking: Tracking, run_id: str) -> list[str]:
    """Every way to name the files of a run."""
    model = tracking.models.create("0", name="model", source_run_id=run_id)
    return [
        f"runs:/{run_id}/model",
        f"mlflow-artifacts:/0/{run_id}/artifacts/model",
        f"{store.root.as_uri()}/runs/{run_id}/artifacts/model",
        f"{store.root}/runs/{run_id}/artifacts/model",
        f"models:/{model.model_id}",
        f"mlflow-artifacts:/0/models/{model.model_id}/artifacts",
        f"{store.root.as_uri()}/models/{model.model_id}/artifacts",
    ]


def test_a_version_stands_for_the_run_that_its_files_are_of(
    store: FolderStore, tracking: Tracking, runs: tuple[str, str]
) -> None:
    good, bad = runs
    for source in sources(store, tracking, good):
        assert checked(store, tracking, source, good).holds, source
        assert checked(store, tracking, source, None).holds, source
    for source in sources(store, tracking, bad):
        assert not checked(store, tracking, source, bad).holds, source
        # Whoever makes a version may say of which run it is.
        assert not checked(store, tracking, source, good).holds, source
        assert checked(store, tracking, source, good).told == "the run has none", source


@pytest.mark.parametrize("said", ["good", "last", ""])
def test_a_name_proves_nothing(
    said: str, store: FolderStore, tracking: Tracking, runs: tuple[str, str]
) -> None:
    assert not checked(store, tracking, f"runs:/{said}/model", said).holds
    assert not checked(store, tracking, "s3://bucket/model", runs[0]).holds
    inside = f"{store.root}/runs/{runs[0]}/artifacts/../../{runs[1]}/artifacts/model"
    assert not checked(store, tracking, inside, runs[0]).holds


def test_a_run_that_somebody_may_not_read_proves_nothing_to_them(
    store: FolderStore, tracking: Tracking, runs: tuple[str, str]
) -> None:
    version = ModelVersion(name="wine", version=1, created=0, updated=0, source=f"runs:/{runs[0]}/model")
    (check,) = judged(store, tracking, version, lambda run_id: run_id != runs[0])
    assert not check.holds and "0.5" not in check.told


def test_what_is_moved_in_is_on_the_record_and_comes_by_the_rules(
    store: FolderStore, tracking: Tracking
) -> None:
    arrivals = wiring.arrivals_of(store)

    def arrive(stage: Stage, updated: int) -> None:
        model = RegisteredModel(name="wine", created=1, updated=updated, aliases=(("best", 1),))
        version = ModelVersion(
            name="wine", version=1, created=1, updated=updated, source="s3://b/m", stage=stage, user="ada"
        )
        arrivals.registered(model, (version,))

    arrive(Stage.STAGING, 2)
    acts = [each.change.act.value for each in tracking.registry.history("wine")]
    assert acts == ["created", "version created", "stage", "alias set"]
    arrive(Stage.STAGING, 2)
    assert len(tracking.registry.history("wine")) == 4
    tracking.registry.set_rules("wine", RULES)
    future = 10**13
    arrive(Stage.PRODUCTION, future)
    assert tracking.registry.version("wine", 1).stage is Stage.STAGING
    with pytest.raises(NotPromoted):
        tracking.registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    assert verify(store).problems == ()
    arrivals.close()


def test_a_change_that_was_altered_is_noticed(store: FolderStore, tracking: Tracking) -> None:
    tracking.registry.create("wine")
    tracking.registry.create_version("wine", source="s3://b/m")
    tracking.registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    with contextlib.closing(sqlite3.connect(store.root / FILE)) as connection, connection:
        connection.execute("UPDATE entries SET payload = replace(payload, 'Production', 'Staging')")
    altered, differs = verify(store).problems
    assert altered.message.startswith("entry 3 (registry)") and "has been altered" in altered.message
    assert differs.message == "version 1 of `wine` was put into Staging, and is in Production"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE model_versions SET stage = 'Staging'",
            "version 1 of `wine` was put into Production, and is in",
        ),
        ("DELETE FROM registered_model_aliases", "the alias `best` of `wine`"),
        ("UPDATE registered_model_rules SET text = ''", "the rules of `wine` are not those that were set"),
        ("UPDATE registered_models SET name = 'beer'", "the registered model `wine` is not there"),
    ],
)
def test_what_was_changed_behind_the_chain_is_noticed(
    statement: str, told: str, store: FolderStore, tracking: Tracking
) -> None:
    tracking.registry.create("cider")
    tracking.registry.rename("cider", "wine")
    tracking.registry.create_version("wine", source="s3://b/m")
    tracking.registry.create_version("wine", source="s3://b/m")
    tracking.registry.set_alias("wine", "gone", 2)
    tracking.registry.set_alias("wine", "best", 1)
    tracking.registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    tracking.registry.delete_version("wine", 2)
    tracking.registry.set_rules("wine", RULES)
    with pytest.raises(NotPromoted):
        tracking.registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    assert verify(store).problems == ()
    with contextlib.closing(sqlite3.connect(store.root / FILE)) as connection, connection:
        connection.execute(statement)
    (problem,) = verify(store).problems
    assert problem.part == "registry" and problem.message.startswith(told)
