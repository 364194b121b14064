"""mlproj from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlproj
from mlproj.errors import SpecError, UsageError
from mlproj.model.events import ChildOutput
from mlproj.model.run import Status
from mlproj.testing import Recorder
from tests.cli.conftest import single
from tests.conftest import ProjectMaker


@pytest.fixture
def project(make_project: ProjectMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    text = single("'echo {alpha}'", parameters="{alpha: {type: float, default: 0.5}}")
    return make_project({"MLproject": text})


def test_a_run_from_python_returns_the_sealed_noun(project: Path, tmp_path: Path) -> None:
    seen = Recorder()
    store = str(tmp_path / "store")
    run = mlproj.run(
        str(project), parameters={"alpha": 2}, env_manager="local", store=store, run_name="mine", report=seen
    )
    assert run.status is Status.FINISHED and run.name == "mine"
    said = b"".join(event.data for event in seen.events if isinstance(event, ChildOutput))
    assert said == b"2\n"
    assert mlproj.open_store(store).find("last") == run


def test_a_plan_is_that_of_the_run(project: Path, tmp_path: Path) -> None:
    plan = mlproj.plan(str(project), env_manager="local")
    run = mlproj.run(str(project), env_manager="local", store=str(tmp_path / "store"))
    assert plan == run.plan and plan.identity is not None


def test_a_failed_run_is_returned_and_not_raised(make_project: ProjectMaker, tmp_path: Path) -> None:
    failing = make_project({"MLproject": single("exit 3")}, name="failing")
    run = mlproj.run(str(failing), env_manager="local", store=str(tmp_path / "store"))
    assert run.status is Status.FAILED and run.outcome is not None and run.outcome.exit_code == 3


def test_what_cannot_be_run_is_raised(project: Path, make_project: ProjectMaker) -> None:
    with pytest.raises(UsageError):
        mlproj.run(str(project), entry_point="trian", env_manager="local")
    broken = make_project({"MLproject": "entry_points: ["}, name="broken")
    with pytest.raises(SpecError):
        mlproj.load_project(broken)
    assert [entry.name for entry in mlproj.load_project(project).entry_points] == ["main"]


def test_a_run_is_done_again_from_python(project: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    run = mlproj.run(str(project), env_manager="local", store=store)
    found = mlproj.reproduce(run.run_id, store=store)
    assert found.verdict.grade.is_reproduced and found.runs[0].reproduces == run.run_id
    assert found.runs[0].plan == run.plan
    varied = mlproj.reproduce(run.run_id, parameters={"alpha": 2}, store=store)
    assert varied.verdict.variations == ("parameter `alpha`: 0.5 -> 2",)
