from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.compare.runs import Change, Contents, FileChange, MetricComparison, compare_runs
from mlproj.model.digest import Digest
from mlproj.model.environment import LockedPackage
from mlproj.model.run import Run, Status
from mlproj.store.blobs import FolderBlobs
from tests.store.runs import begun, ended


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def before(blobs: FolderBlobs) -> Run:
    return ended(blobs, begun(blobs))


def test_equal_plans_are_the_same_experiment(blobs: FolderBlobs, before: Run) -> None:
    found = compare_runs(before, ended(blobs, begun(blobs)))
    assert found.same_plan is True
    assert not (found.parameters or found.source or found.environment or found.inputs or found.outcome)


def test_parameters_and_metrics_stand_side_by_side(blobs: FolderBlobs, before: Run) -> None:
    after = ended(blobs, begun(blobs, alpha=0.75), rmse="NaN", status=Status.FAILED)
    found = compare_runs(before, after)
    assert found.same_plan is False
    assert found.parameters == (Change(name="alpha", before="0.5", after="0.75"),)
    assert found.metrics == (
        MetricComparison(key="rmse", before=0.25, after="NaN", delta=None),
        MetricComparison(key="r2", before=1.0, after=1.0, delta=0.0),
    )
    assert found.outcome == (
        Change(name="status", before="FINISHED", after="FAILED"),
        Change(name="exit_code", before="0", after="3"),
    )


def test_outputs_and_inputs_differ_by_digest(blobs: FolderBlobs, before: Run) -> None:
    after = ended(blobs, begun(blobs), model=b"another")
    assert compare_runs(before, after).outputs == (
        Change(name="model.bin", before=Digest.of(b"model"), after=Digest.of(b"another")),
    )
    assert after.job is not None
    other = replace(after.job.inputs[0], digest=Digest.of(b"other data"))
    changed = replace(after, job=replace(after.job, inputs=(other,)))
    assert [change.name for change in compare_runs(before, changed).inputs] == ["data"]


def test_files_and_packages_need_their_contents(before: Run) -> None:
    one, two = (0o100644, Digest.of(b"1")), (0o100755, Digest.of(b"2"))
    contents = (
        Contents(files={"a": one, "b": one}, packages=(LockedPackage(name="six", version="1"),)),
        Contents(files={"b": two, "c": two}, packages=(LockedPackage(name="six", version="2"),)),
    )
    found = compare_runs(before, before, contents)
    assert found.files == (
        FileChange(path="a", before=one, after=None),
        FileChange(path="b", before=one, after=two),
        FileChange(path="c", before=None, after=two),
    )
    assert found.packages == (Change(name="six", before="1", after="2"),)
    without = compare_runs(before, before)
    assert (without.files, without.packages) == ((), ())


def test_a_running_run_and_one_from_elsewhere_can_be_compared(before: Run) -> None:
    running = replace(before, outcome=None, status=Status.RUNNING)
    foreign = replace(before, plan=None, job=None)
    assert compare_runs(before, running).outcome[0].after == "RUNNING"
    assert compare_runs(before, foreign).same_plan is None
