"""The example with the penguins, cloned, and everything that is run in its clone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import commit_all

EXAMPLE = Path(__file__).resolve().parents[2] / "example_projects" / "mlflow_tracking"
LEFT_BEHIND = shutil.ignore_patterns("models", "__pycache__", "mlruns", "mlflow.db", ".mlproj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A clone of the example, a store beside it, and a home folder for what libraries write there."""

    project: Path
    store: Path
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        own = {"MLPROJ_STORE": str(self.store), "HOME": str(self.home), "MLFLOW_DISABLE_TELEMETRY": "true"}
        # MLflow and what it imports take seconds from source: the first run compiles them for the next.
        return {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | own

    def mlproj(self, *arguments: str) -> str:
        """What it printed, done."""
        done = subprocess.run(
            (sys.executable, "-m", "mlproj", *arguments),
            cwd=self.project,
            env=self.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def run(self, entry_point: str, *arguments: str) -> dict[str, Any]:
        """The document of a run that finished."""
        document: dict[str, Any] = json.loads(
            self.mlproj("run", ".", "-e", entry_point, *arguments, "--json")
        )
        assert document["status"] == "FINISHED"
        return document

    def show(self, run: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.mlproj("show", run, "--json"))
        return document

    def bin_folder(self, run: dict[str, Any]) -> Path:
        """Where the programs of a run's environment are."""
        key: str = run["environment"]["key"]
        return Path(self.environ["MLPROJ_CACHE_DIR"], "environments", key, "bin")

    def blob(self, digest: str) -> Path:
        kind, _, digits = digest.partition(":")
        return self.store / "blobs" / kind / digits[:2] / digits[2:]


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    folder = tmp_path_factory.mktemp("penguins")
    shutil.copytree(EXAMPLE, folder / "mlflow_tracking", ignore=LEFT_BEHIND)
    commit_all(folder / "mlflow_tracking")
    (folder / "home").mkdir()
    return Workplace(project=folder / "mlflow_tracking", store=folder / "store", home=folder / "home")
