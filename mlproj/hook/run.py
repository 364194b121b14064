"""The run that a process belongs to, as the variables that mlproj set tell of it."""

import json
import os
from typing import List, Optional

LEFT = "left"
"""What MLPROJ_SCRIPT_TRACKING becomes once a script has gone to a server of its own choice."""


class Run:
    """Read once, when mlflow is imported: a script may change its variables later.

    `run_id` is what its server calls the run, `own_id` what mlproj does: the same, unless a person has
    configured the server, which `is_elsewhere` says.
    """

    def __init__(self) -> None:
        self.own_id = os.environ["MLPROJ_RUN_ID"]
        self.run_id = os.environ.get("MLPROJ_TRACKING_RUN_ID") or self.own_id
        self.is_elsewhere = bool(os.environ.get("MLPROJ_TRACKING_RUN_ID"))
        self.tracking_uri = os.environ["MLPROJ_TRACKING_URI"]
        self.experiment_given = os.environ.get("MLPROJ_EXPERIMENT_GIVEN") == "1"
        self.obeys_script = os.environ.get("MLPROJ_SCRIPT_TRACKING") in ("1", LEFT)
        self.environment_manager = os.environ.get("MLPROJ_ENV_MANAGER") or None
        self.reuses = os.environ.get("MLPROJ_REUSE") == "1" and not self.is_elsewhere
        self.executable = _arguments(os.environ.get("MLPROJ_EXECUTABLE"))

    def is_foreign(self, uri: str) -> bool:
        """Whether an address is not the one that this run is recorded at."""
        return uri.rstrip("/") != self.tracking_uri.rstrip("/")

    def leave(self) -> None:
        """Takes from the environment what the server of the script's choice would not know."""
        if os.environ.get("MLPROJ_SCRIPT_TRACKING") == LEFT:
            return
        os.environ["MLPROJ_SCRIPT_TRACKING"] = LEFT
        for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
            os.environ.pop(name, None)


def _arguments(text: Optional[str]) -> Optional[List[str]]:
    try:
        words = json.loads(text or "null")
    except ValueError:
        return None
    return words if isinstance(words, list) and words else None
