"""Runs that clients begin, in a script or at a server, are sealed when they or their script end."""

from __future__ import annotations

from mlproj.model.run import LEFT_OPEN, Status
from mlproj.model.tracking import (
    Batch,
    NewRun,
    RunStatus,
)
from mlproj.services.verify import verify
from tests.store.runs import begun, ended
from tests.store.tracking.desk import START, Desk, log_everything


def test_a_run_of_a_server_is_left_to_its_client(desk: Desk) -> None:
    made = desk.tracking.runs.create(NewRun(experiment_id="0", name="free", user="ada", started=START))
    log_everything(desk, made.run_id)
    assert desk.store.find(made.run_id).status is Status.RUNNING
    assert list(desk.store.entries()) == []
    (desk.root / "runs" / made.run_id / "artifacts").mkdir(parents=True)
    (desk.root / "runs" / made.run_id / "artifacts" / "model").write_bytes(b"model")
    desk.tracking.runs.update(made.run_id, status=RunStatus.KILLED, ended=START + 500)
    found = desk.store.find(made.run_id)
    assert found.outcome is not None
    assert (found.status, found.outcome.usage.wall_s) == (Status.KILLED, 0.5)
    assert [output.path for output in found.outcome.outputs] == ["artifacts/model"]
    assert desk.logged(made.run_id).user == "ada"
    assert verify(desk.store).sound
    late = desk.tracking.runs.create(
        NewRun(experiment_id="0", name="late", user="", started=START, parent=made.run_id)
    )
    desk.tracking.runs.update(late.run_id, status=RunStatus.FINISHED)
    assert verify(desk.store).sound


def test_a_run_begun_in_one_that_was_sealed_stands_alone(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.store.seal(ended(desk.store.blobs, run))
    child = desk.child(run)
    assert desk.store.find(child).status is Status.RUNNING
    desk.tracking.runs.update(child, status=RunStatus.FINISHED, ended=START + 1)
    found = desk.store.find(child)
    assert found.job is not None
    assert (found.job.parent, found.plan) == (run.run_id, run.plan)
    assert verify(desk.store).sound


def test_a_run_whose_client_never_comes_back_can_be_hidden(desk: Desk) -> None:
    made = desk.tracking.runs.create(NewRun(experiment_id="0", name="free", user="ada", started=START))
    log_everything(desk, made.run_id)
    desk.store.hide(made.run_id)
    found = desk.store.find(made.run_id)
    assert found.outcome is not None
    assert (found.status, found.outcome.reason, found.deleted) == (Status.KILLED, LEFT_OPEN, True)
    assert verify(desk.store).sound


def test_what_the_client_of_mlflow_notes_is_no_tag_that_a_person_gave(desk: Desk) -> None:
    run = begun(desk.store.blobs)
    with desk.store.begin(run):
        desk.tracking.runs.log(run.run_id, Batch(tags=(("mlflow.source.type", "PROJECT"),)))
        desk.store.seal(ended(desk.store.blobs, run))
    assert [row.tagged for row in desk.store.listing()] == [False]
    desk.tracking.runs.log(run.run_id, Batch(tags=(("keep", "yes"),)))
    assert [row.tagged for row in desk.store.listing()] == [True]
