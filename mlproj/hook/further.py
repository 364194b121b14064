"""Has a run that a script begins at a configured server say so, where MLflow's client does not see to it.

`start_run` takes the tag from the environment (MLFLOW_RUN_CONTEXT); `MlflowClient.create_run` does not.
"""

import functools
from typing import Any

from .run import Run

BEGUN_IN = "mlproj.begun_in"


def mend(module: Any, run: Run) -> None:
    """Mends `mlflow.tracking.client`. An endpoint of ours knows whose script calls it."""
    if not run.is_elsewhere:
        return
    create = module.MlflowClient.create_run

    @functools.wraps(create)
    def create_run(
        self: Any, experiment_id: Any, start_time: Any = None, tags: Any = None, *rest: Any, **named: Any
    ) -> Any:
        if not run.is_foreign(str(self._tracking_client.tracking_uri)):
            tags = {BEGUN_IN: run.run_id, **(tags or {})}
        return create(self, experiment_id, start_time, tags, *rest, **named)

    module.MlflowClient.create_run = create_run
