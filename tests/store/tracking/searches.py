"""Searches for runs with what they find: one table for every store and server that reads MLflow's filters."""

from __future__ import annotations

import math

import msgspec


class SomeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to be found. `dataset` is name, digest and context."""

    name: str
    start_time: int
    status: str = "FINISHED"
    metrics: dict[str, tuple[float, ...]] = {}
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    dataset: tuple[str, str, str] | None = None


RUNS = (
    SomeRun(
        name="ash",
        start_time=1000,
        metrics={"rmse": (0.9, 0.1), "val loss": (5.0,)},
        params={"alpha": "0.5", "model": "Tree"},
        tags={"owner": "ada", "team.name": "red"},
        dataset=("wine", "d1", "train"),
    ),
    SomeRun(
        name="Birch",
        start_time=2000,
        status="FAILED",
        metrics={"rmse": (0.2,)},
        params={"alpha": "10", "model": "tree"},
        tags={"owner": "Ada"},
        dataset=("wine", "d2", "eval"),
    ),
    SomeRun(
        name="cedar",
        start_time=3000,
        metrics={"rmse": (math.nan,)},
        params={"alpha": "none", "model": "forest_1"},
        tags={"owner": "100% ada!"},
        dataset=("iris", "d1", "train"),
    ),
    SomeRun(
        name="date palm",
        start_time=4000,
        metrics={"rmse": (-1.5,)},
        params={"alpha": "9", "model": "forest1"},
    ),
    SomeRun(name="elm", start_time=5000, params={"model": "it's"}, tags={"owner": "back\\slash"}),
)

FOUND: tuple[tuple[str, str], ...] = (
    ("", "elm, date palm, cedar, Birch, ash"),
    # A metric is its last value. What is not there does not compare; NaN is unequal to all.
    ("metrics.rmse < 0.5", "date palm, Birch, ash"),
    ("metrics.rmse <= 0.1", "date palm, ash"),
    ("metrics.rmse > -1.5", "Birch, ash"),
    ("metrics.rmse >= -1.5", "date palm, Birch, ash"),
    ("metrics.rmse = 0.2", "Birch"),
    ("metrics.rmse != 0.2", "date palm, cedar, ash"),
    ("metrics.rmse < 1e999", "date palm, Birch, ash"),
    ("metrics.`val loss` > 1", "ash"),
    ('metrics."val loss" > 1', "ash"),
    ("metrics.nothing != 0", ""),
    ("params.model = 'tree'", "Birch"),
    ("params.model != 'tree'", "elm, date palm, cedar, ash"),
    ("params.alpha != '9'", "cedar, Birch, ash"),
    ("params.alpha = '9.0'", ""),
    ('params.model = "it\'s"', "elm"),
    ("params.model LIKE 'tree'", "Birch"),
    ("params.model LIKE 'T%'", "ash"),
    ("params.model LIKE '%e%'", "date palm, cedar, Birch, ash"),
    ("params.model LIKE 'forest_1'", "cedar"),
    ("params.model LIKE 'forest%1'", "date palm, cedar"),
    ("params.model ILIKE 'TREE'", "Birch, ash"),
    ("params.model ILIKE '%R%t%'", "date palm, cedar"),
    ("tags.owner = 'ada'", "ash"),
    ("tags.owner != 'ada'", "elm, cedar, Birch"),
    ("tags.owner LIKE '%ada!'", "cedar"),
    ("tags.owner LIKE '100% %'", "cedar"),
    ("tags.owner LIKE '%\\%'", "elm"),
    ("tags.owner LIKE 'Ada'", "Birch"),
    ("tags.owner ILIKE '%ada%'", "cedar, Birch, ash"),
    ("tags.team.name = 'red'", "ash"),
    ("tags.`team.name` = 'red'", "ash"),
    ("status = 'FAILED'", "Birch"),
    ("attributes.status != 'FAILED'", "elm, date palm, cedar, ash"),
    ("run_name = 'ash'", "ash"),
    ("attributes.`run name` LIKE '%e%'", "elm, date palm, cedar"),
    ("run_name LIKE 'b%'", ""),
    ("run_name ILIKE 'b%'", "Birch"),
    ("start_time >= 4000", "elm, date palm"),
    ("attributes.Created < 2000", "ash"),
    ("datasets.name = 'wine'", "Birch, ash"),
    ("dataset.digest LIKE 'd_'", "cedar, Birch, ash"),
    ("datasets.context IN ('train', 'test')", "cedar, ash"),
    ("datasets.name != 'wine'", "cedar"),
    ("metrics.rmse < 0.5 AND params.model = 'tree'", "Birch"),
    ("metrics.rmse < 0.5 and tags.owner = 'ada' and status = 'FINISHED'", "ash"),
    ("metrics.rmse < 0.5 AND metrics.rmse > 0", "Birch, ash"),
)
"""A filter, and the names of the runs that it finds, the one that started last first."""

FOUND_SINCE_3: tuple[tuple[str, str], ...] = (
    ("tags.owner IS NULL", "date palm"),
    ("tags.owner IS NOT NULL AND metrics.rmse < 0", ""),
    ("params.alpha IS NULL", "elm"),
)
"""What only later versions of MLflow read."""

FOUND_HERE: tuple[tuple[str, str], ...] = (
    ("params.alpha > 0.5", "date palm, Birch"),
    ("params.alpha <= 9", "date palm, ash"),
    ("params.alpha = 9.0", "date palm"),
    ("params.alpha != 9", "cedar, Birch, ash"),
    ("params.alpha IN (9, 'none')", "date palm, cedar"),
    ("params.alpha NOT IN (9, 'none')", "Birch, ash"),
    ("params.alpha NOT IN (9, 10)", "cedar, ash"),
    ("params.model = 'it''s'", "elm"),
    ("status IN ('FAILED', 'KILLED')", "Birch"),
    ("tags.owner IN ('ada', 'Ada')", "Birch, ash"),
    ("tags.owner NOT IN ('ada', 'Ada')", "elm, cedar"),
    ("metrics.rmse IN (0.1, 0.2)", "Birch, ash"),
    ("metrics.rmse NOT IN (0.1, 0.2)", "date palm, cedar"),
    ("metrics.rmse IS NULL", "elm"),
    ("metrics.rmse IS NOT NULL", "date palm, cedar, Birch, ash"),
    ("datasets.name IS NULL", "elm, date palm"),
    ("metrics.rmse < 0 OR tags.owner = 'ada'", "date palm, ash"),
    ("run_name = 'elm' OR metrics.rmse < 0 AND status = 'FAILED'", "elm"),
    ("(run_name = 'elm' OR metrics.rmse < 1) AND status = 'FINISHED'", "elm, date palm, ash"),
)
"""What MLflow refuses."""

ORDERED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("start_time",), "ash, Birch, cedar, date palm, elm"),
    (("attributes.start_time DESC",), "elm, date palm, cedar, Birch, ash"),
    (("metrics.rmse",), "date palm, ash, Birch, cedar, elm"),
    (("metrics.rmse DESC",), "Birch, ash, date palm, cedar, elm"),
    (("metrics.`val loss` ASC",), "ash, elm, date palm, cedar, Birch"),
    (("params.model",), "ash, date palm, cedar, elm, Birch"),
    (("params.model DESC",), "Birch, elm, cedar, date palm, ash"),
    (("tags.owner",), "cedar, Birch, ash, elm, date palm"),
    (("tags.owner desc",), "elm, ash, Birch, cedar, date palm"),
    (("status", "metrics.rmse DESC"), "Birch, ash, date palm, cedar, elm"),
    (("status DESC", "start_time"), "ash, cedar, date palm, elm, Birch"),
)
"""Keys to sort by, and all runs in that order."""

ORDERED_HERE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("params.alpha",), "ash, date palm, Birch, cedar, elm"),
    (("params.alpha DESC",), "Birch, date palm, ash, cedar, elm"),
)
"""MLflow sorts the texts of numbers."""
