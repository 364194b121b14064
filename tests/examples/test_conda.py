"""The conda example from end to end: its own channel by another address, real data, published results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conda_channels import forge
from tests.conftest import commit_all

EXAMPLE = Path(__file__).resolve().parents[2] / "example_projects" / "conda"
LEFT_BEHIND = shutil.ignore_patterns("model.npz", "*.json", "predictions.csv", "__pycache__", ".mlproj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A clone of the example, a store beside it, and `conda-forge` in a folder of this machine."""

    project: Path
    channels: Path

    def mlproj(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "MLPROJ_STORE": str(self.project.with_name("store")),
            "CONDA_CHANNEL_ALIAS": self.channels.as_uri(),
        }
        command = (sys.executable, "-m", "mlproj", *arguments)
        return subprocess.run(command, cwd=self.project, env=environ, capture_output=True, text=True)

    def run(self, *arguments: str) -> dict[str, Any]:
        """The document of a run that finished."""
        done = self.mlproj("run", ".", *arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "wine", ignore=LEFT_BEHIND)
    commit_all(folder / "wine")
    (folder / "channels").mkdir()
    (folder / "channels" / "conda-forge").symlink_to(forge(tmp_path_factory))
    return Workplace(project=folder / "wine", channels=folder / "channels")


@pytest.fixture(scope="module")
def linear(workplace: Workplace) -> dict[str, Any]:
    return workplace.run()


def test_its_files_are_in_order(workplace: Workplace) -> None:
    checked = workplace.mlproj("check", ".", "--strict")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("shared, shrinkage, wrong", [("1", "0", 2), ("0", "0", 1), ("0.5", "0.1", 0)])
def test_wines_are_told_as_well_as_was_published(
    workplace: Workplace, shared: str, shrinkage: str, wrong: int
) -> None:
    metrics = workplace.run("-P", f"shared={shared}", "-P", f"shrinkage={shrinkage}")["metrics"]
    assert metrics == {"accuracy": pytest.approx(1 - wrong / 178), "wrong": wrong}


def test_the_record_says_which_environment_it_was(workplace: Workplace, linear: dict[str, Any]) -> None:
    environment = linear["environment"]
    assert environment["kind"] == "conda" and environment["because"] == "`conda_env` in MLproject"
    assert environment["lock"].startswith("sha256:")
    shown = workplace.mlproj("show", linear["run_id"])
    assert "(3 packages)" in shown.stdout
    assert workplace.mlproj("verify").returncode == 0


def test_the_same_again_is_the_same_plan_with_the_same_model(
    workplace: Workplace, linear: dict[str, Any]
) -> None:
    again = workplace.run("--env-manager", "conda")
    assert again["plan"] == linear["plan"]
    assert again["outputs"] == linear["outputs"]


def test_the_packages_are_among_what_two_runs_may_differ_in(
    workplace: Workplace, linear: dict[str, Any]
) -> None:
    listing = workplace.project / "conda.yaml"
    written = listing.read_text()
    listing.write_text(written.replace("numpy==2.2.6", "numpy==2.2.5"))
    try:
        other = workplace.run()
    finally:
        listing.write_text(written)
    told = workplace.mlproj("diff", linear["run_id"], other["run_id"])
    assert "numpy" in told.stdout and "2.2.5" in told.stdout and other["plan"] != linear["plan"]


def test_what_cannot_be_had_ends_with_the_solvers_words_and_4(workplace: Workplace, tmp_path: Path) -> None:
    (tmp_path / "MLproject").write_text("conda_env: c.yaml\nentry_points: {main: {command: echo}}\n")
    (tmp_path / "c.yaml").write_text("channels: [conda-forge]\ndependencies: [old-fashioned, modern]\n")
    done = workplace.mlproj("run", str(tmp_path))
    assert done.returncode == 4
    assert "greeting 1.*" in done.stderr and "do not go together" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_handed_over_with_its_packages(
    workplace: Workplace, linear: dict[str, Any], tmp_path: Path
) -> None:
    bundle = tmp_path / "run.zip"
    done = workplace.mlproj("export", linear["run_id"], "-o", str(bundle), "--with", "data,environment")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(bundle) as zipped:
        packages = {name.split("/")[1] for name in zipped.namelist() if name.startswith("environment/")}
        lock = zipped.read("lock/conda.lock").decode()
    assert len(packages) == linear["environment"]["packages"] == 3
    assert {name.split("-")[0] for name in packages} == {"numpy", "pip", "python"}
    assert {name.rsplit(".", 1)[1] for name in packages} >= {"whl"}, "of the `pip:` list"
    assert all(f"/{name}" in lock for name in packages)
    assert workplace.mlproj("verify", str(bundle)).returncode == 0
    assert workplace.mlproj("import", str(bundle), "--store", str(tmp_path / "other")).returncode == 0
    assert workplace.mlproj("verify", "--store", str(tmp_path / "other")).returncode == 0
