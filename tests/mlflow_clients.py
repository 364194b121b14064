"""Real MLflow clients of three lines, each in a virtualenv of its own that is built once and kept.

They lie beside uv's download cache: a folder that is removed is built anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from mlproj.environments.interpreters import Interpreters
from mlproj.errors import EnvironmentFailed
from mlproj.files import locked
from mlproj.model.events import Event
from tests.conftest import need

ClientPython = Callable[[str], Path]
"""Gives the Python that has a line of MLflow's client (`1.30`, `2.22` or `3`); skips the test without one."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to install, on which Pythons (the first that is there), from the index as it was on a day."""

    requirements: tuple[str, ...]
    pythons: tuple[str, ...]
    day: str | None = None


BESIDE = ("matplotlib", "psutil", "scikit-learn")
"""What parts of the client need that its package does not bring along on every line."""

RECIPES = {
    "1.30": Recipe(
        requirements=("mlflow==1.30.0", *BESIDE),
        pythons=("3.9", "3.10", "3.8", "3.7"),
        day="2022-12-01T00:00:00Z",
    ),
    "2.22": Recipe(
        requirements=("mlflow==2.22.0", *BESIDE),
        pythons=("3.11", "3.12", "3.10", "3.9"),
        day="2025-06-15T00:00:00Z",
    ),
    "3": Recipe(requirements=("mlflow>=3.0", *BESIDE), pythons=("3.11", "3.12", "3.13", "3.10")),
}
LINES = tuple(RECIPES)
ENDS = (LINES[0], LINES[-1])
"""The oldest line and the newest: what holds for both is not shown of those between where it takes long."""

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
"""Variables that a client is run with, so that it neither calls home nor talks of git."""


@pytest.fixture(scope="session")
def client_python(isolation: Path, tmp_path_factory: pytest.TempPathFactory) -> ClientPython:
    probes = tmp_path_factory.mktemp("probes")
    return lambda line: built_once(line, RECIPES[line], probes, "mlflow clients")


def built_once(name: str, recipe: Recipe, probes: Path, thing: str) -> Path:
    """The Python of a virtualenv that is made as the recipe says where it is not there yet; skips the test
    that needs this `thing` where it cannot be made."""
    clients = Path(os.environ["UV_CACHE_DIR"]).parent / "mlproj-test-clients"
    folder = clients / name
    clients.mkdir(parents=True, exist_ok=True)
    with locked(clients / f"{name}.lock"):
        if not _is_ready(folder, recipe):
            need(thing, _build(recipe, folder, probes))
            (folder / "ready").write_text(repr(recipe))
    return folder / "bin" / "python"


def _is_ready(folder: Path, recipe: Recipe) -> bool:
    try:
        return (folder / "ready").read_text() == repr(recipe)
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def auth_packages(isolation: Path) -> Path:
    """A folder with what MLflow's server needs to ask for passwords, which its client does without."""
    folder = Path(os.environ["UV_CACHE_DIR"]).parent / "mlproj-test-clients" / "auth"
    install = (uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name("auth.lock")):
        if not (folder / "ready").exists():
            done = subprocess.run((*install, "Flask-WTF==1.2.2", "WTForms==3.2.1"), timeout=100)
            need("mlflow clients", done.returncode == 0)
            (folder / "ready").touch()
    return folder


def _build(recipe: Recipe, folder: Path, probes: Path) -> bool:
    """Whether there is a Python and an index to build the client from."""
    base = _interpreter(recipe.pythons, probes)
    if base is None:
        return False
    program = uv.find_uv_bin()
    made = subprocess.run((program, "venv", "--quiet", "--clear", "--python", base, folder), timeout=60)
    dated = () if recipe.day is None else ("--exclude-newer", recipe.day)
    install = (program, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *dated)
    return (
        made.returncode == 0 and subprocess.run((*install, *recipe.requirements), timeout=400).returncode == 0
    )


def _interpreter(versions: tuple[str, ...], probes: Path) -> Path | None:
    interpreters = Interpreters(cache=probes, environ=os.environ, uv=None)
    for version in versions:
        try:
            return interpreters.find(version, probes, _ignore).executable
        except EnvironmentFailed:
            continue
    return None


def _ignore(event: Event) -> None:
    """Nobody is told how it goes."""
