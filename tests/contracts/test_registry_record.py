"""Every change of a registry is a link of the chain, whichever database holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from mlproj.errors import AlreadyThere, NotFound, NotPromoted, StoreError
from mlproj.model.entries import REGISTRY_SCHEMA, read_registry
from mlproj.model.record import EntryKind
from mlproj.model.registry import By, Case, Change, Stage
from mlproj.model.rules import Check
from mlproj.registry_ports import Registry
from mlproj.services.verify import verify
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_served_store, open_store
from mlproj.store.tracking.opening import open_tracking
from mlproj.store_ports import RunStore
from mlproj.tracking_ports import Tracking
from tests.databases import KINDS, new_uri

ADA = By(who="ada", why="it is time")


@pytest.fixture(params=("folder", *KINDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderStore]:
    root = tmp_path / ".mlproj"
    if request.param == "folder":
        opened = open_store(root, create=True)
    else:
        opened = open_served_store(new_uri(request.param), root, create=True)
    with contextlib.closing(opened):
        yield opened


@pytest.fixture
def registry(store: FolderStore) -> Iterator[Registry]:
    tracking = open_tracking(store, judge)
    yield tracking.registry
    tracking.close()


def judge(tracking: Tracking, text: str, case: Case) -> Sequence[Check]:
    """A rule that is a word, which the version has to be described by."""
    described = case.version.description
    return [Check(rule=text, holds=text in described, told=described or "nothing")]


def told(registry: Registry, name: str) -> list[tuple[object, ...]]:
    """What was done, without what is empty."""
    return [
        (change.act.value, *(each for each in (change.version, change.alias) if each is not None))
        + ((change.before, change.after) if change.before or change.after else ())
        for change in (recorded.change for recorded in registry.history(name))
    ]


def made(registry: Registry, versions: int = 2) -> None:
    registry.create("wine", by=ADA)
    for _ in range(versions):
        registry.create_version("wine", source="s3://bucket/model", run_id="r1", by=ADA)


def changes(store: RunStore) -> list[Change]:
    return [read_registry(entry.payload or b"") for entry in store.entries(EntryKind.REGISTRY)]


def test_every_change_is_on_the_record(store: FolderStore, registry: Registry) -> None:
    made(registry)
    registry.transition("wine", 1, Stage.STAGING, archive_existing=False, by=ADA)
    registry.transition("wine", 2, Stage.STAGING, archive_existing=True, by=By(who="bob"))
    registry.set_alias("wine", "best", 1, by=ADA)
    registry.set_alias("wine", "best", 2, by=ADA)
    registry.set_alias("wine", "best", 2, by=ADA)
    registry.delete_alias("wine", "best", by=ADA)
    registry.delete_alias("wine", "best", by=ADA)
    registry.delete_version("wine", 1, by=ADA)
    registry.rename("wine", "cider", by=ADA)
    expected: list[tuple[object, ...]] = [
        ("created",),
        ("version created", 1),
        ("version created", 2),
        ("stage", 1, "None", "Staging"),
        ("stage", 2, "None", "Staging"),
        ("stage", 1, "Staging", "Archived"),
        ("alias set", 1, "best", None, "1"),
        ("alias set", 2, "best", "1", "2"),
        ("alias removed", 2, "best", "2", None),
        ("version deleted", 1, "Archived", None),
        ("renamed", "wine", "cider"),
    ]
    assert told(registry, "cider") == expected
    registry.delete("cider", by=ADA)
    assert told(registry, "cider") == [*expected, ("deleted",)]
    recorded = changes(store)
    assert [change.who for change in recorded].count("bob") == 2
    assert {change.why for change in recorded if change.who == "ada"} == {"it is time"}
    archived = recorded[5]
    assert (archived.with_version, archived.model) == (2, "wine")
    first = next(store.entries(EntryKind.REGISTRY))
    assert msgspec.json.decode(first.payload or b"")["schema"] == REGISTRY_SCHEMA
    verdict = verify(store)
    assert (verdict.problems, verdict.entries) == ((), 12)


def test_a_history_is_that_of_the_model_which_has_the_name(registry: Registry) -> None:
    made(registry, versions=0)
    registry.rename("wine", "cider")
    registry.create("wine", by=By(who="eve"))
    assert told(registry, "wine") == [("created",)]
    assert [recorded.change.who for recorded in registry.history("wine")] == ["eve"]
    registry.delete("cider")
    registry.create("cider")
    assert told(registry, "cider") == [("created",)]
    registry.rename("cider", "perry")
    registry.rename("perry", "cider")
    assert told(registry, "cider") == [
        ("created",),
        ("renamed", "cider", "perry"),
        ("renamed", "perry", "cider"),
    ]
    with pytest.raises(NotFound, match="beer"):
        registry.history("beer")


def test_what_is_refused_leaves_no_link(store: FolderStore, registry: Registry) -> None:
    made(registry, versions=1)
    before = store.head()
    with pytest.raises(AlreadyThere):
        registry.create("wine")
    with pytest.raises(NotFound):
        registry.transition("wine", 7, Stage.STAGING, archive_existing=False)
    with pytest.raises(NotFound):
        registry.delete("beer")
    assert store.head() == before


def test_rules_hold_a_version_back(store: FolderStore, registry: Registry) -> None:
    made(registry)
    registry.set_rules("wine", "tasted", by=ADA)
    assert registry.rules("wine") == "tasted"
    registry.transition("wine", 1, Stage.STAGING, archive_existing=False)
    with pytest.raises(NotPromoted, match=r"version 1 of `wine`.*1 of 1 rules do not hold: tasted: nothing"):
        registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False, by=By(who="eve"))
    assert registry.version("wine", 1).stage is Stage.STAGING
    refused = changes(store)[-1]
    assert (refused.act.value, refused.who, refused.after) == ("promotion refused", "eve", "Production")
    assert refused.checks == (Check(rule="tasted", holds=False, told="nothing"),)
    registry.describe_version("wine", 1, "tasted")
    moved = registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False, by=ADA)
    assert moved.stage is Stage.PRODUCTION
    assert [check.holds for check in changes(store)[-1].checks] == [True]
    both = registry.checks("wine", 1, further="bottled")
    assert [(check.rule, check.holds) for check in both] == [("tasted", True), ("bottled", False)]
    with pytest.raises(NotPromoted, match=r"1 of 2 rules do not hold: bottled"):
        registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False, further="bottled")
    registry.rename("wine", "cider")
    with pytest.raises(NotPromoted):
        registry.transition("cider", 2, Stage.PRODUCTION, archive_existing=False)
    registry.set_rules("cider", None)
    assert registry.rules("cider") is None
    registry.transition("cider", 2, Stage.PRODUCTION, archive_existing=True)
    assert told(registry, "cider")[-3:] == [
        ("rules removed", "tasted", None),
        ("stage", 2, "None", "Production"),
        ("stage", 1, "Production", "Archived"),
    ]
    registry.set_rules("cider", "again")
    registry.delete("cider")
    assert verify(store).problems == ()


def test_where_nobody_can_look_nothing_is_let_in(store: FolderStore, registry: Registry) -> None:
    made(registry)
    registry.set_rules("wine", "tasted")
    tracking = open_tracking(store)
    with pytest.raises(StoreError, match="cannot be looked at here"):
        tracking.registry.transition("wine", 1, Stage.PRODUCTION, archive_existing=False)
    tracking.close()


def test_many_at_once_make_one_chain(store: FolderStore, registry: Registry) -> None:
    registry.create("wine")
    registry.create("beer")

    def change(number: int) -> None:
        name = ("wine", "beer")[number % 2]
        version = registry.create_version(name, source="s").version
        registry.set_alias(name, "best", version)
        registry.transition(name, version, Stage.STAGING, archive_existing=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(24)))
    recorded = changes(store)
    assert len([change for change in recorded if change.act.value == "version created"]) == 24
    for name in ("wine", "beer"):
        staged = [v.version for v in registry.latest(name, (Stage.STAGING,))]
        last = [c for c in recorded if c.model == name and c.after == "Staging"][-1]
        assert staged == [last.version]
    assert verify(store).problems == ()
