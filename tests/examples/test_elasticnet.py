"""The example project from end to end: a real environment, real data, and what the record says of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import commit_all, git

EXAMPLE = Path(__file__).resolve().parents[2] / "example_projects" / "elasticnet"
LEFT_BEHIND = shutil.ignore_patterns(
    "model.joblib", "*.json", "__pycache__", "mlruns", "mlflow.db", ".mlproj"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A clone of the example, and a store beside it."""

    project: Path
    store: Path

    def mlproj(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-m", "mlproj", *arguments),
            cwd=self.project,
            env={**os.environ, "MLPROJ_STORE": str(self.store)},
            capture_output=True,
            text=True,
        )

    def run(self, *arguments: str) -> dict[str, Any]:
        """The document of a run that finished."""
        done = self.mlproj("run", ".", *arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["status"] == "FINISHED"
        return document


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "elasticnet", ignore=LEFT_BEHIND)
    commit_all(folder / "elasticnet")
    return Workplace(project=folder / "elasticnet", store=folder / "store")


@pytest.fixture(scope="module")
def trained(workplace: Workplace) -> dict[str, Any]:
    return workplace.run("-e", "train", "-P", "alpha=0.5")


def test_its_files_are_in_order(workplace: Workplace) -> None:
    checked = workplace.mlproj("check", ".", "--strict")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_training_gives_the_metrics_of_the_held_out_rows(trained: dict[str, Any]) -> None:
    assert trained["metrics"] == pytest.approx({"rmse": 52.978, "mae": 41.797, "r2": 0.492}, rel=1e-3)


def test_digests_are_those_that_sha256sum_gives(workplace: Workplace, trained: dict[str, Any]) -> None:
    data, model = trained["inputs"][0], _output(trained, "model.joblib")
    assert (data["name"], data["path"]) == ("data", "data/diabetes.csv")
    assert data["digest"] == _sha256(workplace.project / "data" / "diabetes.csv")
    assert model["digest"] == _sha256(workplace.project / "model.joblib")


def test_the_model_is_kept_in_the_store(
    workplace: Workplace, trained: dict[str, Any], tmp_path: Path
) -> None:
    (workplace.project / "model.joblib").unlink()
    got = workplace.mlproj("artifacts", trained["run_id"], "get", "model.joblib", "--to", str(tmp_path))
    assert got.returncode == 0, got.stderr
    assert _sha256(tmp_path / "model.joblib") == _output(trained, "model.joblib")["digest"]


def test_parameters_tell_where_they_came_from(trained: dict[str, Any]) -> None:
    assert {name: (item["value"], item["origin"]) for name, item in trained["parameters"].items()} == {
        "alpha": (0.5, "given"),
        "l1_ratio": (0.5, "default"),
        "data": ("data/diabetes.csv", "default"),
    }


def test_a_committed_project_is_clean_although_it_left_outputs(
    workplace: Workplace, trained: dict[str, Any]
) -> None:
    assert trained["source"]["commit"] == git(workplace.project, "rev-parse", "HEAD")
    assert trained["source"]["dirty"] is False


def test_the_same_again_is_the_same_plan_with_the_same_model(
    workplace: Workplace, trained: dict[str, Any]
) -> None:
    again = workplace.run("-e", "train", "-P", "alpha=0.5")
    assert again["plan"] == trained["plan"]
    assert again["metrics"] == trained["metrics"]
    assert _output(again, "model.joblib")["digest"] == _output(trained, "model.joblib")["digest"]


def test_main_trains_and_evaluates(workplace: Workplace, trained: dict[str, Any]) -> None:
    main = workplace.run()
    assert main["metrics"]["rmse"] == main["metrics"]["held_out_rmse"] == trained["metrics"]["rmse"]
    assert main["metrics"]["training_r2"] == pytest.approx(0.504, abs=1e-3)


def test_evaluate_counts_the_model_among_its_inputs(workplace: Workplace, trained: dict[str, Any]) -> None:
    workplace.run("-e", "train", "-P", "alpha=0.5")
    evaluated = workplace.run("-e", "evaluate", "-P", "model=model.joblib")
    digests = {item["name"]: item["digest"] for item in evaluated["inputs"]}
    assert digests["model"] == _output(trained, "model.joblib")["digest"]
    assert evaluated["metrics"]["held_out_r2"] == trained["metrics"]["r2"]


def test_the_table_is_the_one_that_scikit_learn_bundles(workplace: Workplace) -> None:
    table = workplace.project / "data" / "diabetes.csv"
    committed = table.read_bytes()
    table.write_bytes(b"")
    try:
        workplace.run("-e", "data/make_table.py")
        assert table.read_bytes() == committed
    finally:
        table.write_bytes(committed)


def test_everything_recorded_verifies(workplace: Workplace, trained: dict[str, Any]) -> None:
    verified = workplace.mlproj("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _output(document: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(output for output in document["outputs"] if output["path"] == path)
    return found


def _sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
