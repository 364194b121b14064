"""What every model registry does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.registry import By, ModelVersion, Stage
from mlproj.model.tracking import Page
from mlproj.registry_ports import Registry
from mlproj.spec.filters import read_search
from mlproj.spec.searchable import Subject
from mlproj.tracking_ports import Tracking

PROMPT = (("mlflow.prompt.is_prompt", "true"),)


@pytest.fixture
def registry(tracking: Tracking) -> Registry:
    return tracking.registry


def made(registry: Registry, name: str = "wine", *, versions: int = 0) -> None:
    registry.create(name)
    for number in range(versions):
        registry.create_version(name, source=f"file:///model/{number}")


def named(registry: Registry, filter: str = "", *order_by: str, limit: int = 100) -> list[str]:
    search = read_search(Subject.REGISTERED_MODELS, filter, order_by)
    models, token = registry.search(search, Page(limit=limit))
    names = [model.name for model in models]
    while token is not None:
        models, token = registry.search(search, Page(limit=limit, token=token))
        names += [model.name for model in models]
    return names


def numbered(registry: Registry, filter: str = "", *order_by: str, limit: int = 100) -> list[tuple[str, int]]:
    search = read_search(Subject.MODEL_VERSIONS, filter, order_by)
    versions, token = registry.search_versions(search, Page(limit=limit))
    numbers = [(version.name, version.version) for version in versions]
    while token is not None:
        versions, token = registry.search_versions(search, Page(limit=limit, token=token))
        numbers += [(version.name, version.version) for version in versions]
    return numbers


def latest(registry: Registry, *stages: Stage) -> list[tuple[int, Stage]]:
    return [(version.version, version.stage) for version in registry.latest("wine", stages)]


def moved(registry: Registry, version: int, stage: Stage, *, archive: bool = False) -> ModelVersion:
    return registry.transition("wine", version, stage, archive_existing=archive)


def test_a_model_is_created_and_found_by_its_name(registry: Registry) -> None:
    model = registry.create("wine", description="of grapes", tags=(("b", "2"), ("a", "1")))
    assert model == registry.get("wine")
    assert (model.name, model.description, model.tags) == ("wine", "of grapes", (("a", "1"), ("b", "2")))
    assert (model.created, model.latest, model.aliases) == (model.updated, (), ())


def test_a_name_is_taken_once(registry: Registry) -> None:
    made(registry)
    with pytest.raises(AlreadyThere, match=r"^Registered Model \(name=wine\) already exists\.$"):
        registry.create("wine")
    with pytest.raises(AlreadyThere, match="Tried to create a prompt with name 'wine'"):
        registry.create("wine", tags=PROMPT)
    registry.create("Wine")
    assert named(registry) == ["Wine", "wine"]


@pytest.mark.parametrize("name", ["", "  ", "a\0"])
def test_a_name_is_some_text(registry: Registry, name: str) -> None:
    with pytest.raises(UsageError):
        registry.create(name)


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    missing = r"^Registered Model with name=wine not found$"
    calls = (
        lambda: registry.get("wine"),
        lambda: registry.rename("wine", "beer"),
        lambda: registry.describe("wine", "x"),
        lambda: registry.delete("wine"),
        lambda: registry.set_tag("wine", "a", "b"),
        lambda: registry.delete_tag("wine", "a"),
        lambda: registry.create_version("wine", source="s"),
        lambda: registry.latest("wine", ()),
        lambda: registry.aliased("wine", "a"),
        lambda: registry.delete_alias("wine", "a"),
    )
    for call in calls:
        with pytest.raises(NotFound, match=missing):
            call()
    made(registry, versions=1)
    of_version = (
        lambda: registry.version("wine", 2),
        lambda: registry.describe_version("wine", 2, "x"),
        lambda: moved(registry, 2, Stage.STAGING),
        lambda: registry.delete_version("wine", 2),
        lambda: registry.set_version_tag("wine", 2, "a", "b"),
        lambda: registry.delete_version_tag("wine", 2, "a"),
        lambda: registry.set_alias("wine", "a", 2),
    )
    for call in of_version:
        with pytest.raises(NotFound, match=r"^Model Version \(name=wine, version=2\) not found$"):
            call()


def test_a_description_and_tags_change(registry: Registry) -> None:
    made(registry)
    assert registry.describe("wine", "red").description == "red"
    registry.set_tag("wine", "a", "1")
    registry.set_tag("wine", "a", "2")
    registry.set_tag("wine", "b", "")
    registry.delete_tag("wine", "no such tag")
    assert registry.get("wine").tags == (("a", "2"), ("b", ""))
    registry.delete_tag("wine", "a")
    assert registry.get("wine").tags == (("b", ""),)


def test_versions_are_numbered_from_one_and_no_number_comes_again(registry: Registry) -> None:
    made(registry, versions=2)
    registry.delete_version("wine", 2)
    third = registry.create_version("wine", source="s")
    assert (third.version, third.stage, third.status) == (3, Stage.NONE, "READY")
    assert sorted(numbered(registry)) == [("wine", 1), ("wine", 3)]


def test_a_version_keeps_where_it_came_from(registry: Registry) -> None:
    made(registry)
    version = registry.create_version(
        "wine",
        source="file:///model",
        run_id="f" * 32,
        run_link="http://here",
        model_id="m-1",
        description="first",
        tags=(("k", "v"),),
        by=By(who="ada"),
    )
    assert version == registry.version("wine", 1)
    assert (version.source, version.run_id, version.run_link) == ("file:///model", "f" * 32, "http://here")
    assert (version.model_id, version.description, version.user) == ("m-1", "first", "ada")
    assert version.tags == (("k", "v"),)
    with pytest.raises(UsageError, match="source"):
        registry.create_version("wine", source="")


def test_a_version_is_described_and_tagged(registry: Registry) -> None:
    made(registry, versions=2)
    assert registry.describe_version("wine", 1, "good").description == "good"
    registry.set_version_tag("wine", 1, "a", "1")
    registry.set_version_tag("wine", 1, "a", "2")
    registry.set_version_tag("wine", 2, "a", "3")
    registry.delete_version_tag("wine", 2, "b")
    assert (registry.version("wine", 1).tags, registry.version("wine", 2).tags) == (
        (("a", "2"),),
        (("a", "3"),),
    )
    registry.delete_version_tag("wine", 1, "a")
    assert registry.version("wine", 1).tags == ()


def test_stages_hold_the_newest_version_each(registry: Registry) -> None:
    made(registry, versions=4)
    moved(registry, 1, Stage.PRODUCTION)
    moved(registry, 2, Stage.PRODUCTION)
    moved(registry, 3, Stage.STAGING)
    assert latest(registry) == [(2, Stage.PRODUCTION), (3, Stage.STAGING), (4, Stage.NONE)]
    assert latest(registry, Stage.PRODUCTION) == [(2, Stage.PRODUCTION)]
    assert latest(registry, Stage.ARCHIVED) == []
    assert [version.version for version in registry.get("wine").latest] == [2, 3, 4]


def test_a_transition_may_archive_those_that_were_in_the_stage(registry: Registry) -> None:
    made(registry, versions=3)
    moved(registry, 1, Stage.PRODUCTION)
    moved(registry, 2, Stage.PRODUCTION)
    assert moved(registry, 3, Stage.PRODUCTION, archive=True).stage is Stage.PRODUCTION
    assert [registry.version("wine", number).stage for number in (1, 2)] == [Stage.ARCHIVED] * 2
    with pytest.raises(UsageError, match="because 'None' is not an Active stage"):
        moved(registry, 3, Stage.NONE, archive=True)


def test_an_alias_names_one_version_and_moves(registry: Registry) -> None:
    made(registry, versions=2)
    registry.set_alias("wine", "champion", 1)
    registry.set_alias("wine", "best", 1)
    registry.set_alias("wine", "champion", 2)
    assert registry.aliased("wine", "champion").version == 2
    assert registry.get("wine").aliases == (("best", 1), ("champion", 2))
    assert registry.version("wine", 1).aliases == ("best",)
    registry.delete_alias("wine", "champion")
    registry.delete_alias("wine", "champion")
    with pytest.raises(NotFound, match=r"^Registered model alias champion not found\.$"):
        registry.aliased("wine", "champion")
    registry.delete_version("wine", 1)
    assert registry.get("wine").aliases == ()


def test_latest_is_an_alias_of_the_newest_version(registry: Registry) -> None:
    made(registry)
    with pytest.raises(NotFound, match=r"^Latest version not found for model wine\.$"):
        registry.aliased("wine", "latest")
    for source in ("one", "two"):
        registry.create_version("wine", source=source)
    moved(registry, 2, Stage.PRODUCTION)
    assert registry.aliased("wine", "Latest").version == 2
    with pytest.raises(UsageError, match="no alias that can be set"):
        registry.set_alias("wine", "Latest", 1)


def test_a_renamed_model_keeps_its_versions_tags_and_aliases(registry: Registry) -> None:
    made(registry, versions=2)
    registry.set_tag("wine", "a", "1")
    registry.set_alias("wine", "best", 2)
    made(registry, "beer")
    with pytest.raises(AlreadyThere, match=r"Registered Model \(name=beer\) already exists"):
        registry.rename("wine", "beer")
    renamed = registry.rename("wine", "cider")
    assert (renamed.name, renamed.tags, renamed.aliases) == ("cider", (("a", "1"),), (("best", 2),))
    assert registry.version("cider", 1).name == "cider"
    with pytest.raises(NotFound):
        registry.get("wine")
    assert registry.rename("cider", "cider").name == "cider"


def test_a_deleted_model_takes_all_that_is_below_it(registry: Registry) -> None:
    made(registry, versions=2)
    registry.set_tag("wine", "a", "1")
    registry.set_alias("wine", "best", 2)
    registry.set_version_tag("wine", 1, "a", "1")
    registry.delete("wine")
    made(registry, versions=1)
    again = registry.get("wine")
    assert (again.tags, again.aliases, [version.version for version in again.latest]) == ((), (), [1])
    assert registry.version("wine", 1).tags == ()


def test_changes_of_versions_are_changes_of_the_model(registry: Registry) -> None:
    made(registry)
    before = registry.get("wine").updated
    version = registry.create_version("wine", source="s")
    assert registry.get("wine").updated == version.created >= before
    changed = moved(registry, 1, Stage.STAGING)
    assert registry.get("wine").updated >= changed.created


@pytest.mark.parametrize(
    ("filter", "order_by", "names"),
    [
        ("", (), ["Rice", "beer", "wine"]),
        ("name = 'wine'", (), ["wine"]),
        ("name LIKE 'R%'", (), ["Rice"]),
        ("name LIKE 'r%'", (), []),
        ("name ILIKE 'r%'", (), ["Rice"]),
        ("name IN ('beer', 'wine')", (), ["beer", "wine"]),
        ("tags.colour = 'red'", (), ["wine"]),
        ("tags.colour != 'red'", (), ["beer"]),
        ("tags.colour IS NULL", (), ["Rice"]),
        ("tag.`mlflow.prompt.is_prompt` != 'true'", (), ["Rice", "beer", "wine"]),
        ("tags.colour = 'red' AND tag.`mlflow.prompt.is_prompt` = 'false'", (), ["wine"]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", (), ["ask"]),
        ("name ILIKE '%k%' AND tags.`mlflow.prompt.is_prompt` != 'false'", (), ["ask"]),
        ("", ("name DESC",), ["wine", "beer", "Rice"]),
    ],
)
def test_models_are_searched(
    registry: Registry, filter: str, order_by: tuple[str, ...], names: list[str]
) -> None:
    registry.create("wine", tags=(("colour", "red"),))
    registry.create("beer", tags=(("colour", "brown"),))
    registry.create("Rice")
    registry.create("ask", tags=PROMPT)
    assert named(registry, filter, *order_by) == names
    assert named(registry, filter, *order_by, limit=1) == names


def test_models_are_sorted_by_time(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        made(registry, name)
        time.sleep(0.003)
    registry.describe("a", "changed")
    assert named(registry, "", "timestamp DESC") == ["a", "c", "b"]
    assert named(registry, "", "creation_timestamp DESC") == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("filter", "order_by", "versions"),
    [
        ("name = 'wine'", ("version_number",), [("wine", 1), ("wine", 2)]),
        ("name = 'wine'", ("version_number DESC",), [("wine", 2), ("wine", 1)]),
        ("", ("name ASC",), [("beer", 1), ("wine", 2), ("wine", 1)]),
        ("", (), [("beer", 1), ("wine", 2), ("wine", 1)]),
        ("run_id = 'r2'", (), [("wine", 2)]),
        ("run_id != 'r2'", (), [("wine", 1)]),
        ("run_id IN ('r1', 'r2') AND version_number > 1", (), [("wine", 2)]),
        ("source_path LIKE '%/b'", (), [("beer", 1)]),
        ("version_number = '1'", ("name DESC",), [("wine", 1), ("beer", 1)]),
        ("tags.good = 'yes'", (), [("wine", 1)]),
        ("current_stage = 'Staging'", (), [("wine", 2)]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", (), [("ask", 1)]),
    ],
)
def test_versions_are_searched(
    registry: Registry, filter: str, order_by: tuple[str, ...], versions: list[tuple[str, int]]
) -> None:
    registry.create("wine")
    registry.create_version("wine", source="/a", run_id="r1", tags=(("good", "yes"),))
    time.sleep(0.002)
    registry.create_version("wine", source="/a", run_id="r2")
    moved(registry, 2, Stage.STAGING)
    time.sleep(0.002)
    registry.create("beer")
    registry.create_version("beer", source="/b")
    registry.create("ask", tags=PROMPT)
    registry.create_version("ask", source="/c", tags=PROMPT)
    assert numbered(registry, filter, *order_by) == versions
    assert numbered(registry, filter, *order_by, limit=1) == versions


def test_versions_of_many_threads_get_a_number_each(registry: Registry) -> None:
    made(registry)
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: registry.create_version("wine", source="s"), range(40)))
    assert sorted(version.version for version in versions) == list(range(1, 41))
