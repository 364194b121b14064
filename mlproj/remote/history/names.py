"""What MLflow writes, as nouns have it: ids, states, stages, and paths that stay inside of their folder."""

from __future__ import annotations

from pathlib import PurePosixPath

from mlproj.model.registry import Stage
from mlproj.model.tracking import Lifecycle, Pairs, RunStatus

_STATUSES = {str(number): status for number, status in enumerate(RunStatus, start=1)}
MODEL_STATES = {0: "PENDING", 1: "PENDING", 2: "READY", 3: "FAILED"}
"""The states of logged models by their numbers in MLflow's protocol."""


def is_inside(path: str) -> bool:
    """Whether a path stays below the folder that it is relative to."""
    return bool(path) and not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def status_of(found: object) -> RunStatus:
    """A run's status by its name, or by its number in MLflow's protocol."""
    text = str(found)
    try:
        return _STATUSES.get(text) or RunStatus(text)
    except ValueError:
        return RunStatus.RUNNING


def model_state_of(found: object) -> str:
    """A logged model's state by its name, with or without what the protocol puts before, or its number."""
    text = str(found).removeprefix("LOGGED_MODEL_")
    if text.isdigit():
        return MODEL_STATES.get(int(text), "PENDING")
    return "FAILED" if text == "UPLOAD_FAILED" else text if text in MODEL_STATES.values() else "PENDING"


def lifecycle_of(found: object) -> Lifecycle:
    return Lifecycle.DELETED if found == Lifecycle.DELETED.value else Lifecycle.ACTIVE


def stage_of(found: object) -> Stage:
    try:
        return Stage(str(found))
    except ValueError:
        return Stage.NONE


def sorted_pairs(found: dict[str, str]) -> Pairs:
    return tuple(sorted(found.items()))
