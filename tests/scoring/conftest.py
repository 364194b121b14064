"""Models that are made once by the real MLflow, of each of its lines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mlflow_clients import QUIET, ClientPython, client_python
from tests.scoring import making

__all__ = ["client_python"]

Models = Callable[[str], Path]
"""Gives the folder of a model that MLflow of a line (`1.30`, `2.22` or `3`) saved."""


@pytest.fixture(scope="session")
def models(client_python: ClientPython, tmp_path_factory: pytest.TempPathFactory) -> Models:
    made: dict[str, Path] = {}

    def model(line: str) -> Path:
        if line not in made:
            made[line] = tmp_path_factory.mktemp("models") / line
            make(client_python(line), made[line])
        return made[line]

    return model


@pytest.fixture(scope="session")
def plain_model(client_python: ClientPython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same estimator as a file of joblib's."""
    file = tmp_path_factory.mktemp("plain") / "model.joblib"
    make(client_python("3"), file, "--plain")
    return file


def make(python: Path, place: Path, *options: str) -> None:
    """Runs `making` in a Python that need not be ours."""
    environ = {**os.environ, **QUIET, "MPLCONFIGDIR": str(place.parent)}
    command = (str(python), making.__file__, *options, str(place))
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=place.parent)
    assert done.returncode == 0, done.stderr
