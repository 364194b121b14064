"""Where the contenders meet: a scratch folder with projects, caches and stores of their own, and mlflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MLPROJ = str(BIN / "mlproj")
UV = str(BIN / "uv")

TRIVIAL = """\
name: trivial
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
    command: "echo {alpha}"
"""
WITH_ENVIRONMENT = """\
name: with-environment
python_env: python_env.yaml
entry_points:
  main:
    command: "python --version"
"""
REQUIREMENTS = {
    "six": ("six==1.16.0",),
    "elasticnet": ("joblib==1.5.3", "pandas==2.3.3", "scikit-learn==1.7.2"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """A scratch folder. `environ` keeps every contender's caches and stores in it, uv's downloads apart."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def trivial(self) -> Path:
        return self.folder / "trivial"

    def project(self, name: str) -> Path:
        """The project that needs the packages of `REQUIREMENTS[name]`."""
        return self.folder / name

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def built(self) -> tuple[Path, Path]:
        """What a new specification finds nothing of: resolved locks and built environments."""
        return self.cache / "locks", self.cache / "environments"

    @property
    def mlflow_environments(self) -> Path:
        return self.folder / "mlflow-environments"

    @property
    def by_hand(self) -> Path:
        return self.folder / "by-hand"


def open_arena(folder: Path) -> Arena:
    """Lays out the projects in `folder`, each a git repository with one commit."""
    arena = Arena(folder=folder, environ=_environ(folder))
    repository(arena.trivial, {"MLproject": TRIVIAL})
    for name, requirements in REQUIREMENTS.items():
        lines = "".join(f"  - {requirement}\n" for requirement in requirements)
        files = {"MLproject": WITH_ENVIRONMENT, "python_env.yaml": f"dependencies:\n{lines}"}
        repository(arena.project(name), files)
    return arena


def find_mlflow(given: str | None) -> str | None:
    """The `mlflow` program: the one given, else one that is installed, if it can be."""
    return given or find_peer("mlflow", "mlflow>=3.10,<4")


def find_peer(name: str, requirement: str) -> str | None:
    """A program that others made, in a virtualenv of its own in the user's cache, made if need be.

    None where it cannot be installed.
    """
    folder = Path(platformdirs.user_cache_dir("mlproj-bench")) / name
    program = folder / "bin" / name
    if not program.exists():
        print(f"installing {name} into {folder} (once)", file=sys.stderr)
        install = f'"{UV}" venv -q --clear "$1" && "{UV}" pip install -q --python "$1" "$2"'
        command = ("bash", "-c", install, "-", folder, requirement)
        if subprocess.run(command, stdout=sys.stderr).returncode != 0:
            return None
    return str(program)


def empty(*folders: Path) -> None:
    """Removes the folders, so that the next repetition finds nothing built."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _environ(folder: Path) -> dict[str, str]:
    # Bytecode is compiled for all, and a child buffers its output as it does anywhere.
    dropped = ("MLPROJ_", "MLFLOW_", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {
        **kept,
        "PATH": os.pathsep.join((str(BIN), os.environ["PATH"])),
        "MLPROJ_STORE": str(folder / "store"),
        "MLPROJ_CACHE_DIR": str(folder / "cache"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_ENV_ROOT": str(folder / "mlflow-environments"),
    }


def repository(folder: Path, files: Mapping[str, str]) -> None:
    """Puts files, by their names, into a new folder and commits them."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "first")):
        subprocess.run(("git", *arguments), cwd=folder, check=True)
