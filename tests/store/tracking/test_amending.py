"""What comes after the seal is a link of its own, and `verify` holds record and amendments together."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from mlproj.errors import StoreError
from mlproj.model.record import EntryKind
from mlproj.model.tracking import (
    Batch,
    Dataset,
    DatasetInput,
    ModelOutput,
    RunStatus,
)
from mlproj.services.verify import verify
from tests.store.runs import begun, ended
from tests.store.tracking.desk import READ, START, Desk, log_everything, point


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("metrics", {}),
        ("metrics", {"points": "x"}),
        ("status", {"ended": "x"}),
        ("param", {}),
        ("dataset", {"dataset": "{}"}),
        ("model", {}),
    ],
)
def test_an_amendment_that_nobody_could_read_is_refused(
    desk: Desk, kind: str, content: dict[str, str]
) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.store.seal(ended(desk.store.blobs, run))
    with pytest.raises(StoreError, match=run.run_id):
        desk.store.amend(run.run_id, kind, content)
    assert desk.kinds() == [EntryKind.RUN]
    assert verify(desk.store).sound


def test_amendments_count_in_what_is_searched(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        desk.store.seal(ended(desk.store.blobs, run))
    line = f'{{"key":"loss","step":9,"timestamp":{START},"value":0.125}}'
    for kind, content in (
        ("metrics", {"points": line}),
        ("param", {"key": "late", "value": "1"}),
        ("tag", {"key": "late", "value": "yes"}),
        ("untag", {"key": "team"}),
        ("status", {"status": "FAILED", "ended": "77"}),
        ("something", {"of": "a person's"}),
    ):
        desk.store.amend(run.run_id, kind, content)
    found = desk.tracking.runs.get(run.run_id)
    assert {metric.key: metric.value for metric in found.metrics}["loss"] == 0.125
    assert len(desk.tracking.runs.history(run.run_id, "loss")[0]) == 3
    assert (found.status, found.ended, dict(found.params)["late"]) == (RunStatus.FAILED, 77, "1")
    assert ("late", "yes") in found.tags
    assert "team" not in dict(found.tags)
    assert verify(desk.store).sound


LATE: dict[str, tuple[Callable[[Desk, str], object], str, dict[str, str]]] = {
    "metrics": (
        lambda desk, run_id: desk.tracking.runs.log(
            run_id, Batch(metrics=(point("late", math.nan), point("late", 1.5), point("loss", 0.5)))
        ),
        "metrics",
        {
            "points": f'{{"key":"late","step":0,"timestamp":{START},"value":"NaN"}}\n'
            f'{{"key":"late","step":0,"timestamp":{START},"value":1.5}}\n'
        },
    ),
    "a param": (
        lambda desk, run_id: desk.tracking.runs.log(run_id, Batch(params=(("late", "1"), ("depth", "3")))),
        "param",
        {"key": "late", "value": "1"},
    ),
    "a tag": (
        lambda desk, run_id: desk.tracking.runs.log(run_id, Batch(tags=(("team", "blue"),))),
        "tag",
        {"key": "team", "value": "blue"},
    ),
    "no tag": (
        lambda desk, run_id: desk.tracking.runs.delete_tag(run_id, "team"),
        "untag",
        {"key": "team"},
    ),
    "a status": (
        lambda desk, run_id: desk.tracking.runs.update(run_id, status=RunStatus.RUNNING, ended=START + 77),
        "status",
        {"status": "RUNNING", "ended": str(START + 77)},
    ),
    "a name": (
        lambda desk, run_id: desk.tracking.runs.update(run_id, name="bold-heron"),
        "name",
        {"name": "bold-heron"},
    ),
    "a dataset": (
        lambda desk, run_id: desk.tracking.runs.log_inputs(
            run_id,
            (READ, DatasetInput(dataset=Dataset(name="beer", digest="1", source_type="", source=""))),
        ),
        "dataset",
        {
            "dataset": '{"digest":"1","name":"beer","profile":null,"schema":null,"source":"",'
            '"source_type":"","tags":[]}'
        },
    ),
    "a model": (
        lambda desk, run_id: desk.tracking.runs.log_outputs(
            run_id, (ModelOutput(model_id="m-9", step=2), ModelOutput(model_id="m-2", step=4))
        ),
        "model",
        {"model_id": "m-9", "direction": "output", "step": "2"},
    ),
}


@pytest.mark.parametrize("what", LATE)
def test_what_comes_after_the_seal_is_a_link_and_verified(desk: Desk, what: str) -> None:
    write, kind, content = LATE[what]
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        log_everything(desk, run.run_id)
        sealed = desk.store.seal(ended(desk.store.blobs, run))
    write(desk, run.run_id)
    (amendment,) = desk.store.find(run.run_id).amendments
    assert (amendment.kind, amendment.content) == (kind, content)
    assert desk.store.find(run.run_id).outcome == sealed.outcome
    assert verify(desk.store).sound
    desk.reopen()
    assert verify(desk.store).sound
    if what not in ("no tag", "a name"):
        write(desk, run.run_id)
        assert len(desk.kinds()) == 2, "what is there already is not written again"
