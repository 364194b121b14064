"""Histories of metrics that are longer than a page, and numbers that a database has no way to hold."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mlproj.model.run import Status
from mlproj.model.tracking import Batch, Metric, NewRun, RunStatus
from mlproj.services.verify import verify
from mlproj.store.indexes import read_points
from mlproj.store.opening import open_served_store
from mlproj.store.tracking.opening import open_tracking
from tests.databases import KINDS, new_uri

COUNT = 5500
"""Of each of two metrics: more than two pages in all, one of which ends within a metric."""
STRANGE = (math.inf, -math.inf, math.nan, 0.1, 5e-324, -1.7976931348623155e308)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_history_is_sealed_whole(kind: str, tmp_path: Path) -> None:
    store = open_served_store(new_uri(kind), tmp_path / "beside", create=True)
    tracking = open_tracking(store)
    run_id = tracking.runs.create(NewRun(experiment_id="0", name="long", user="ada", started=1)).run_id
    for key in ("a", "b"):
        points = tuple(Metric(key=key, value=step / 7, step=step, timestamp=step) for step in range(COUNT))
        tracking.runs.log(run_id, Batch(metrics=points))
    strange = tuple(
        Metric(key="c", value=value, step=step, timestamp=0) for step, value in enumerate(STRANGE)
    )
    tracking.runs.log(run_id, Batch(metrics=strange))
    tracking.runs.update(run_id, status=RunStatus.FINISHED, ended=2)
    found = list(read_points(store.connection, run_id))
    expected = [(key, (step, step, step / 7)) for key in ("a", "b") for step in range(COUNT)]
    assert found[: 2 * COUNT] == expected
    told = [value for _, (_, _, value) in found[2 * COUNT :]]
    assert str(told) == str(list(STRANGE))
    assert store.find(run_id).status is Status.FINISHED
    checked = verify(store)
    assert checked.sound, checked.problems
    tracking.close()
    store.close()
