"""The limits are MLflow's, to the character."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlproj.model.tracking import Batch, Dataset, Metric
from mlproj.server import limits
from mlproj.server.failures import Failure


def dataset(**fields: str) -> Dataset:
    return Dataset(**{"name": "d", "digest": "1", "source_type": "local", "source": "s", **fields})


POINT = Metric(key="m", value=1.0, timestamp=1)

ALLOWED: list[Callable[[], object]] = [
    lambda: limits.key("key", "x" * 250),
    lambda: limits.key("key", "a/b.c-d e:f_é"),
    lambda: limits.key("key", ".hidden"),
    lambda: limits.key("key", "a..b"),
    lambda: limits.experiment_name("x" * 500),
    lambda: limits.experiment_id("-1"),
    lambda: limits.pairs((("k" * 250, "v" * 20_000),), limits.EXPERIMENT_TAG_VALUE),
    lambda: limits.pairs((("k", "v" * 100_000),), limits.REGISTRY_TAG_VALUE),
    lambda: limits.alias_to_set("a" * 255),
    lambda: limits.alias_to_set("version-1"),
    lambda: limits.model_name("a model, named"),
    lambda: limits.dataset(dataset(name="n" * 500, digest="d" * 36), (("k" * 255, "v" * 500),)),
    lambda: limits.dataset(dataset(schema="s" * 1_048_575, source="s" * 65_535), ()),
    lambda: limits.batch(Batch(metrics=(POINT,) * 1000)),
    lambda: limits.batch(Batch(params=tuple((f"p{number}", "") for number in range(100)))),
    lambda: limits.results(1, 10),
    lambda: limits.results(10, 10),
    lambda: limits.run_id("a-b_c"),
]

REFUSED: list[Callable[[], object]] = [
    lambda: limits.key("key", "x" * 251),
    lambda: limits.key("key", ""),
    lambda: limits.key("key", "a\n"),
    lambda: limits.key("key", "."),
    lambda: limits.key("key", ".."),
    lambda: limits.key("key", "../a"),
    lambda: limits.key("key", "/a"),
    lambda: limits.key("key", "a/"),
    lambda: limits.key("key", "a//b"),
    lambda: limits.key("key", "a/./b"),
    lambda: limits.experiment_name("x" * 501),
    lambda: limits.experiment_id("1.0"),
    lambda: limits.experiment_id("٣"),
    lambda: limits.artifact_location("runs:/1/model"),
    lambda: limits.pairs((("k" * 251, ""),), limits.EXPERIMENT_TAG_VALUE),
    lambda: limits.pairs((("k", "v" * 20_001),), limits.EXPERIMENT_TAG_VALUE),
    lambda: limits.pairs((("k", "v" * 100_001),), limits.REGISTRY_TAG_VALUE),
    lambda: limits.alias_to_set("a" * 256),
    lambda: limits.alias_to_set("Latest"),
    lambda: limits.alias_to_set("V12"),
    lambda: limits.alias_to_set("a b"),
    lambda: limits.model_name(" "),
    lambda: limits.model_name("a/b"),
    lambda: limits.model_name("a:b"),
    lambda: limits.model_name(".."),
    lambda: limits.version("1.5"),
    lambda: limits.version(""),
    lambda: limits.logged_model_name("a.b"),
    lambda: limits.dataset(dataset(name="n" * 501), ()),
    lambda: limits.dataset(dataset(digest="d" * 37), ()),
    lambda: limits.dataset(dataset(source="s" * 65_536), ()),
    lambda: limits.dataset(dataset(), (("k" * 256, ""),)),
    lambda: limits.dataset(dataset(), (("k", "v" * 501),)),
    lambda: limits.batch(Batch(metrics=(POINT,) * 1001)),
    lambda: limits.batch(Batch(tags=tuple((f"t{number}", "") for number in range(101)))),
    lambda: limits.batch(Batch(metrics=(POINT,) * 950, params=tuple((f"p{n}", "") for n in range(51)))),
    lambda: limits.metric(Metric(key="m", value=1.0, timestamp=-1)),
    lambda: limits.metric(Metric(key="m", value=1.0, timestamp=1, dataset_name="d")),
    lambda: limits.results(0, 10),
    lambda: limits.results(11, 10),
    lambda: limits.unique(["a", "b", "a"]),
    lambda: limits.run_id("a" * 257),
]


@pytest.mark.parametrize("allowed", ALLOWED)
def test_what_mlflow_allows_is_allowed(allowed: Callable[[], object]) -> None:
    allowed()


@pytest.mark.parametrize("refused", REFUSED)
def test_what_mlflow_refuses_is_refused(refused: Callable[[], object]) -> None:
    with pytest.raises(Failure) as caught:
        refused()
    assert caught.value.code == "INVALID_PARAMETER_VALUE"


def test_params_and_tags_of_runs_are_cut_as_mlflow_cuts_them() -> None:
    cut = limits.batch(Batch(params=(("p", "x" * 6001),), tags=(("t", "x" * 8001),)))
    assert cut == Batch(params=(("p", "x" * 6000),), tags=(("t", "x" * 8000),))
