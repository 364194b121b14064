"""Has a run follow the experiment that its script names, where MLflow would let the script die of it."""

import functools
import os
from importlib import import_module
from typing import Any, Optional

from .endpoint import Endpoint
from .run import Run


def mend(module: Any, run: Run, endpoint: Endpoint) -> None:
    """Mends `mlflow.tracking.fluent`."""
    choose = module.set_experiment

    @functools.wraps(choose)
    def set_experiment(*given: Any, **named: Any) -> Any:
        arguments = dict(zip(("experiment_name", "experiment_id"), given), **named)
        ids = arguments.get("experiment_name"), arguments.get("experiment_id")
        is_proper = len(given) <= 2 and (ids[0] is None) != (ids[1] is None)
        if not is_proper or not endpoint.is_current():
            return choose(*given, **named)
        goes_on = os.environ.get("MLFLOW_RUN_ID") == run.run_id
        # A server of MLflow's own moves no run: there is no use in making the experiment first.
        if run.experiment_given or (run.is_elsewhere and goes_on):
            return stay(arguments)
        experiment = choose(*given, **named)
        # Only the run that `start_run` would go on with moves: the next ones begin there anyway.
        if experiment is None or not goes_on:
            return experiment
        if not endpoint.move(experiment.experiment_id):
            return stay(arguments)
        os.environ["MLFLOW_EXPERIMENT_ID"] = experiment.experiment_id
        os.environ.pop("MLFLOW_EXPERIMENT_NAME", None)
        return experiment

    def stay(arguments: Any) -> Any:
        """Goes on in the experiment that the run is under, and has the record say what was asked for."""
        kept = endpoint.experiment()
        if kept is None:
            return choose(**arguments)
        name, asked_id = arguments.pop("experiment_name", None), arguments.pop("experiment_id", None)
        experiment = choose(experiment_id=kept, **arguments)
        asked = name if name is not None else _name(module, str(asked_id))
        if asked != experiment.name:
            endpoint.note_experiment(asked)
        return experiment

    module.set_experiment = set_experiment


def _name(module: Any, experiment_id: str) -> str:
    """The name of an experiment; its id where it has none."""
    try:
        found: Optional[Any] = (
            import_module("mlflow.tracking.client").MlflowClient().get_experiment(experiment_id)
        )
    except Exception:
        found = None
    return experiment_id if found is None else str(found.name)
