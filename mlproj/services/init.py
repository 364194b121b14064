"""`mlproj init`: writes a new MLproject, fit to what is in the folder."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

from mlproj.errors import SpecError, UsageError
from mlproj.files import write_atomically

_MAIN_SCRIPTS = ("main.py", "train.py", "run.py")
_ENVIRONMENTS = ("python_env.yaml", "conda.yaml", "environment.yml", "uv.lock")


def init(directory: Path, name: str | None = None) -> tuple[Path, ...]:
    """Writes `MLproject` and, where the folder says nothing of an environment, `python_env.yaml`.

    Returns the files that were written. `name` is the project's, the folder's where it is None. Raises
    UsageError where there is no such folder, SpecError where it holds an MLproject or cannot be written to.
    """
    if not directory.is_dir():
        raise UsageError(f"there is no folder `{directory}`")
    try:
        present = {path.name for path in directory.iterdir()}
        taken = next((file for file in sorted(present) if file.lower() == "mlproject"), None)
        if taken is not None:
            raise SpecError(
                "the folder holds an MLproject already", hint="`mlproj check` reads it", file=taken
            )
        return _written(directory, name or directory.resolve().name, present)
    except OSError as error:
        raise SpecError(f"`{error.filename or directory}` cannot be written: {error.strerror}") from error


def _written(directory: Path, name: str, present: set[str]) -> tuple[Path, ...]:
    files = {"MLproject": _project(name, present)}
    if not present.intersection(_ENVIRONMENTS):
        files["python_env.yaml"] = _python_env(present)
    for file, text in files.items():
        write_atomically(directory / file, text.encode(), mode=0o644)
    return tuple(directory / file for file in files)


def _project(name: str, present: set[str]) -> str:
    """The MLproject's text. JSON's strings are YAML's, so that any name is quoted right."""
    environment = _environment_key(present)
    lines = [f"name: {json.dumps(name, ensure_ascii=False)}", "", *environment, "entry_points:"]
    for entry, script in _entry_points(present):
        lines += [f"  {entry}:", f"    command: {json.dumps('python ' + script)}"]
    return "\n".join(lines) + "\n"


def _environment_key(present: set[str]) -> list[str]:
    if "python_env.yaml" in present or not present.intersection(_ENVIRONMENTS):
        return ["python_env: python_env.yaml", ""]
    conda = next((file for file in ("conda.yaml", "environment.yml") if file in present), None)
    return [f"conda_env: {conda}", ""] if conda else []


def _entry_points(present: set[str]) -> tuple[tuple[str, str], ...]:
    """Names and scripts: `main` is the first of the usual ones, `train` and `evaluate` keep their names."""
    main = next((file for file in _MAIN_SCRIPTS if file in present), None)
    others = sorted(
        file
        for file in present.intersection(("train.py", "evaluate.py", "predict.py", "preprocess.py"))
        if file != main
    )
    return (("main", main or "main.py"), *((re.sub(r"\.py$", "", file), file) for file in others))


def _python_env(present: set[str]) -> str:
    major, minor, _ = platform.python_version_tuple()
    lines = [f'python: "{major}.{minor}"']
    lines += (
        ["dependencies:", "  - -r requirements.txt"]
        if "requirements.txt" in present
        else ["dependencies: []"]
    )
    return "\n".join(lines) + "\n"
