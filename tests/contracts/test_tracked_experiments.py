"""What every tracking store does with experiments."""

from __future__ import annotations

import pytest

from mlproj.errors import AlreadyThere, NotFound, UsageError
from mlproj.model.search import Key, Kind, Operator, Order, Search
from mlproj.model.tracking import (
    Experiment,
    Lifecycle,
    Page,
)
from tests.contracts.served import START, Served, where


def test_the_experiment_of_runs_that_name_none_has_the_id_0(served: Served) -> None:
    assert served.experiments.get("0").name == "Default"
    assert served.experiments.named("Default").experiment_id == "0"


def test_an_experiment_is_made_and_found(served: Served) -> None:
    made = served.experiments.create("wine", artifact_location="s3://bucket/wine", tags=(("team", "red"),))
    assert made == served.experiments.get(made.experiment_id) == served.experiments.named("wine")
    assert (made.artifact_location, made.tags) == ("s3://bucket/wine", (("team", "red"),))
    assert made.created == made.updated > START
    with pytest.raises(AlreadyThere, match=r"Experiment\(name=wine\) already exists"):
        served.experiments.create("wine")


@pytest.mark.parametrize("missing", ["7", "-1", "x", "", "0x1", "٣", "1" * 40])
def test_an_experiment_that_is_not_there_is_not_found(served: Served, missing: str) -> None:
    with pytest.raises(NotFound, match="No Experiment with id="):
        served.experiments.get(missing)
    with pytest.raises(NotFound, match="Could not find experiment with name"):
        served.experiments.named(missing)


def test_a_deleted_experiment_goes_with_its_runs_and_comes_back_with_them(served: Served) -> None:
    made = served.experiments.create("wine")
    run_id = served.run(experiment_id=made.experiment_id)
    served.experiments.set_lifecycle(made.experiment_id, Lifecycle.DELETED)
    assert served.experiments.get(made.experiment_id).lifecycle is Lifecycle.DELETED
    assert served.runs.get(run_id).lifecycle is Lifecycle.DELETED
    with pytest.raises(NotFound):
        served.experiments.set_lifecycle(made.experiment_id, Lifecycle.DELETED)
    with pytest.raises(AlreadyThere):
        served.experiments.create("wine")
    with pytest.raises(UsageError, match=r"must be in the 'active' state\. Current state is deleted"):
        served.run(experiment_id=made.experiment_id)
    with pytest.raises(UsageError, match="must be in the 'active' state"):
        served.experiments.set_tag(made.experiment_id, "a", "b")
    with pytest.raises(UsageError, match="Cannot rename a non-active experiment"):
        served.experiments.rename(made.experiment_id, "beer")
    served.experiments.set_lifecycle(made.experiment_id, Lifecycle.ACTIVE)
    assert served.runs.get(run_id).lifecycle is Lifecycle.ACTIVE


def test_an_experiment_is_renamed_unless_the_name_is_taken(served: Served) -> None:
    made = served.experiments.create("wine")
    served.experiments.rename(made.experiment_id, "beer")
    assert served.experiments.named("beer").experiment_id == made.experiment_id
    with pytest.raises(AlreadyThere):
        served.experiments.rename(made.experiment_id, "Default")
    with pytest.raises(NotFound):
        served.experiments.named("wine")


def test_tags_of_an_experiment_are_set_changed_and_taken_away(served: Served) -> None:
    served.experiments.set_tag("0", "team", "red")
    served.experiments.set_tag("0", "team", "blue")
    assert served.experiments.get("0").tags == (("team", "blue"),)
    served.experiments.delete_tag("0", "team")
    assert served.experiments.get("0").tags == ()
    with pytest.raises(NotFound, match="No tag with name: team in experiment with id 0"):
        served.experiments.delete_tag("0", "team")


def test_experiments_are_searched_by_page(served: Served) -> None:
    for name in ("ale", "Beer", "cider"):
        served.experiments.create(name, tags=(("length", str(len(name))),))
    served.experiments.set_lifecycle(served.experiments.named("cider").experiment_id, Lifecycle.DELETED)

    def names(search: Search, lifecycle: Lifecycle | None = Lifecycle.ACTIVE) -> list[str]:
        found: list[Experiment] = []
        token: str | None = None
        while True:
            page = Page(limit=2, token=token)
            some, token = served.experiments.search(search, page, lifecycle=lifecycle)
            found += some
            if token is None:
                return [experiment.name for experiment in found]

    by_name = (Order(key=Key(kind=Kind.ATTRIBUTE, name="name")),)
    assert set(names(Search())) == {"ale", "Beer", "Default"}
    assert names(Search(order=by_name), None) == ["Beer", "Default", "ale", "cider"]
    assert names(Search(), Lifecycle.DELETED) == ["cider"]
    assert names(Search(where=where(Kind.TAG, "length", Operator.EQUAL, "3"))) == ["ale"]
    assert names(Search(where=where(Kind.ATTRIBUTE, "name", Operator.ILIKE, "b%"))) == ["Beer"]
    assert names(Search(where=where(Kind.ATTRIBUTE, "creation_time", Operator.LESS, 1.0))) == []
    assert len(names(Search(where=where(Kind.ATTRIBUTE, "last_update_time", Operator.GREATER, 1.0)))) == 3
    assert names(Search(where=where(Kind.ATTRIBUTE, "experiment_id", Operator.EQUAL, "0"))) == ["Default"]
