"""Says which variables switch the start-up hook on in a run's processes, and what they mean to it.

    PYTHONPATH               begins with the folder of the hook's `sitecustomize`
    MLPROJ_RUN_ID            the run that the process belongs to; without it the hook does nothing
    MLPROJ_TRACKING_URI      where that run is recorded, also MLFLOW_TRACKING_URI then; without it likewise
    MLPROJ_TRACKING_RUN_ID   what the run is called there, where a person configured the server; without it
                             the server is ours, and calls the run what we do
    MLPROJ_EXECUTABLE        mlproj itself, as a JSON list of arguments, for the steps of a pipeline; they are
                             started in the script's folder, whose modules must not get in its way
    MLPROJ_EXPERIMENT_GIVEN  1: a person named the experiment, which no `set_experiment` changes then
    MLPROJ_ENV_MANAGER       the environment manager that a person chose; steps are built by it as well
    MLPROJ_SCRIPT_TRACKING   1: a script may log to a server of its own choice (`left` once it does)
    MLPROJ_NO_HOOK           1: no hook
    MLPROJ_PARENT_RUN_ID     set by the hook for a step's `mlproj run`, and for nothing below it: the run that
                             was active in the script, or else the process's own

`services.attempt` sets MLPROJ_REUSE, 1 where steps may stand for earlier runs, with or without a hook; the
hook then gives each step a MLPROJ_RUN_ID_FILE to write into which run it was.

`services.tracking` sets two more: MLPROJ_SECRETS (`model.redaction`), which the `mlproj` of a step masks, and
MLFLOW_RUN_CONTEXT, by which MLflow tags the runs that a script begins at a server.

Beside them the hook reads MLFLOW_RUN_ID and MLFLOW_EXPERIMENT_ID, as MLflow does. A step finds the experiment
that is only handed down to it in MLFLOW_EXPERIMENT_ID, and one that was named for it in its options.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj import hook

FOLDER = Path(hook.__file__).parent / "start"
"""What the PYTHONPATH of a run's processes begins with."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of a run that its scripts have to do with."""

    experiment_given: bool = False
    environment_manager: str | None = None
    script_tracking: bool = False
    hook: bool = True


def hook_variables(
    *,
    run_id: str,
    tracking_uri: str,
    tracking_run_id: str | None = None,
    executable: tuple[str, ...],
    wishes: Wishes,
    environ: Mapping[str, str],
) -> dict[str, str | None]:
    """The changes to `environ`, where None takes a variable away.

    What was wished for a run holds for those below it as well, unless they are told otherwise.
    """
    inherited = environ.get
    hook = wishes.hook and not inherited("MLPROJ_NO_HOOK")
    given = wishes.experiment_given or inherited("MLPROJ_EXPERIMENT_GIVEN") == "1"
    obeyed = wishes.script_tracking or inherited("MLPROJ_SCRIPT_TRACKING") in ("1", "left")
    return {
        "PYTHONPATH": python_path(inherited("PYTHONPATH"), hook),
        "MLPROJ_RUN_ID": run_id,
        "MLPROJ_TRACKING_URI": tracking_uri,
        "MLPROJ_TRACKING_RUN_ID": tracking_run_id,
        "MLPROJ_EXECUTABLE": json.dumps(executable),
        "MLPROJ_EXPERIMENT_GIVEN": "1" if given else None,
        "MLPROJ_ENV_MANAGER": wishes.environment_manager or inherited("MLPROJ_ENV_MANAGER"),
        "MLPROJ_SCRIPT_TRACKING": "1" if obeyed else None,
        "MLPROJ_NO_HOOK": None if hook else "1",
        "MLPROJ_PARENT_RUN_ID": None,
    }


def python_path(inherited: str | None, hook: bool = True) -> str | None:
    """The folder once, before what was there. An empty entry is the current folder, an empty text nothing."""
    entries = inherited.split(os.pathsep) if inherited else []
    others = [entry for entry in entries if entry != str(FOLDER)]
    path = [str(FOLDER), *others] if hook else others
    return os.pathsep.join(path) if path else None
