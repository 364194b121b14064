"""A step that may stand for an earlier run: which run it was is read from a file that the step writes."""

import contextlib
import os
import tempfile
from typing import Any, Dict

from .endpoint import Endpoint


class Step:
    """Has the step, whose variables are given, write the id of its run into a file of ours."""

    def __init__(self, environ: Dict[str, str]) -> None:
        handle, self._path = tempfile.mkstemp(prefix="mlproj-step-")
        os.close(handle)
        environ["MLPROJ_RUN_ID_FILE"] = self._path

    def adopt(self, submitted: Any, endpoint: Endpoint) -> None:
        """Once the step has ended: has what MLflow calls a submitted run be the run that it was."""
        with contextlib.suppress(OSError):
            with open(self._path) as file:
                told = file.read().strip()
            os.unlink(self._path)
            if told and told != submitted.run_id:
                submitted._run_id = told
                endpoint.note_reused(told)
