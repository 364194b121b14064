"""The Docker example from end to end: its image built by a real engine, its work done inside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from mlproj.store.opening import open_store
from tests.conftest import commit_all
from tests.engines import client, debian

__all__ = ["client", "debian"]

EXAMPLE = Path(__file__).resolve().parents[2] / "example_projects" / "docker"
LEFT_BEHIND = shutil.ignore_patterns(
    "*.joblib", "*.json", "importances.csv", "classified.csv", "__pycache__", ".mlproj"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cellar:
    """A clone of the example with a store beside it, and the base that its image is built on here."""

    project: Path
    store: Path
    base: str

    def run(self, *arguments: str) -> dict[str, Any]:
        """The document of a run that finished."""
        command = (
            sys.executable,
            "-m",
            "mlproj",
            "run",
            ".",
            "-A",
            f"build-arg=BASE={self.base}",
            *arguments,
            "--json",
        )
        environ = {**os.environ, "MLPROJ_STORE": str(self.store)}
        done = subprocess.run(command, cwd=self.project, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def log(self, run: dict[str, Any]) -> str:
        store = open_store(self.store, create=False)
        outcome = store.find(run["run_id"]).outcome
        assert outcome is not None
        (log,) = (log for log in outcome.logs if log.name == "stdout")
        return store.blobs.path(log.digest).read_text()


@pytest.fixture(scope="module")
def cellar(debian: str, client: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cellar]:
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "docker", ignore=LEFT_BEHIND)
    commit_all(folder / "docker")
    yield Cellar(project=folder / "docker", store=folder / "store", base=debian)


@pytest.fixture(scope="module")
def trained(cellar: Cellar) -> dict[str, Any]:
    return cellar.run("-P", "trees=50")


def test_the_forest_is_grown_inside_and_kept(trained: dict[str, Any], cellar: Cellar) -> None:
    assert trained["environment"]["kind"] == "docker"
    image = trained["environment"]["image"]
    assert image["name"].startswith("mlproj/vineyards:")
    assert ["org.opencontainers.image.title", "vineyards"] in image["labels"]
    assert 0.9 < trained["metrics"]["accuracy"] <= 1 and 0 < trained["metrics"]["log_loss"] < 0.5
    assert {item["path"]: item["state"] for item in trained["outputs"]} == dict.fromkeys(
        ("forest.joblib", "importances.csv", "classified.csv", "metrics.json"), "written"
    )
    assert (cellar.project / "forest.joblib").stat().st_uid == os.getuid()
    assert "of 178 wines were made from the cultivar" in cellar.log(trained)


def test_the_same_again_is_the_same_byte_for_byte(trained: dict[str, Any], cellar: Cellar) -> None:
    again = cellar.run("-P", "trees=50")
    assert again["plan"] == trained["plan"] is not None
    assert again["environment"]["image"] == trained["environment"]["image"]
    assert again["metrics"] == trained["metrics"]
    assert [(item["path"], item["digest"]) for item in again["outputs"]] == [
        (item["path"], item["digest"]) for item in trained["outputs"]
    ]


def test_a_table_from_elsewhere_is_classified(
    trained: dict[str, Any], cellar: Cellar, tmp_path: Path
) -> None:
    header, *rows = (cellar.project / "data" / "wine.csv").read_text().splitlines()
    (tmp_path / "a few.csv").write_text("\n".join((header, *rows[:10], "")))
    run = cellar.run("-e", "classify", "-P", "model=forest.joblib", "-P", f"data={tmp_path}/a few.csv")
    assert cellar.log(run) == "10 of 10 wines were made from the cultivar that the forest names\n"
    assert {item["name"] for item in run["inputs"]} == {"model", "data"}


def test_it_is_handed_over_with_its_image(
    trained: dict[str, Any], cellar: Cellar, client: APIClient, tmp_path: Path
) -> None:
    environ = {**os.environ, "MLPROJ_STORE": str(cellar.store)}

    def mlproj(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "mlproj", *arguments)
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)

    done = mlproj("export", trained["run_id"], "-o", "run.zip", "--with", "image")
    assert done.returncode == 0, done.stderr
    assert mlproj("verify", "run.zip").returncode == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as zipped:
        (name,) = [name for name in zipped.namelist() if name.startswith("image/")]
        zipped.extract(name, tmp_path)
    # The engine's name for an image is the digest of its configuration, which is in the file.
    identifier = trained["environment"]["image"]["id"].removeprefix("sha256:")
    with tarfile.open(tmp_path / name) as saved:
        (configuration,) = [each for each in saved.getnames() if identifier in each]
        content = saved.extractfile(configuration)
        assert content is not None and hashlib.sha256(content.read()).hexdigest() == identifier
    with (tmp_path / name).open("rb") as file:
        assert not [step for step in client.load_image(file) if "error" in step]
    assert mlproj("export", trained["run_id"], "-o", "again.zip", "--with", "image").returncode == 0
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "run.zip").read_bytes()
    refused = mlproj("export", trained["run_id"], "-o", "other.zip", "--with", "environment")
    assert refused.returncode == 4 and "`--with image`" in refused.stderr


def test_it_is_done_again_in_the_image_that_it_had(trained: dict[str, Any], cellar: Cellar) -> None:
    environ = {**os.environ, "MLPROJ_STORE": str(cellar.store)}
    command = (sys.executable, "-m", "mlproj", "reproduce", trained["run_id"], "--offline", "--json")
    done = subprocess.run(command, cwd=cellar.store, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    again = json.loads(done.stdout)
    assert again["verdict"]["grade"] == "identical" and again["isolation"] is not None
    assert again["environment"]["image"] == trained["environment"]["image"]
