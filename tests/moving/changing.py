"""What happens to a history after it moved elsewhere: `changing.py URI` does it, on any line of clients."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from typing import Any

# Where this file is checked there is neither.
mlflow: Any = import_module("mlflow")
entities: Any = import_module("mlflow.entities")
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

START = 1_700_000_000_000


def main() -> None:
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    (experiment,) = [each for each in client.search_experiments() if each.name == "wines"]
    runs = client.search_runs([experiment.experiment_id], run_view_type=3)
    by_name = {run.info.run_name: run.info.run_id for run in runs}
    (going_on,) = [run.info.run_id for run in runs if run.data.tags.get("which") == "going on"]
    end(client, going_on)
    mend(client, by_name["rich"])
    client.delete_run(by_name["child-0"])
    (killed,) = [run.info.run_id for run in runs if run.info.status == "KILLED"]
    client.restore_run(killed)
    begin_another(client, experiment.experiment_id)
    register(client, by_name["rich"])
    client.set_experiment_tag(experiment.experiment_id, "late", "tag")


def end(client: Any, run_id: str) -> None:
    points = [entities.Metric("loss", 1 / step, START + step, step) for step in range(2, 40)]
    points.append(entities.Metric("late", float("nan"), START, 0))
    client.log_batch(run_id, metrics=points, params=[entities.Param("late", "yes")])
    client.set_terminated(run_id, "FAILED", end_time=START + 9_000)


def mend(client: Any, run_id: str) -> None:
    client.set_tag(run_id, "stage", "changed")
    client.set_tag(run_id, "mlflow.note.content", "other words")
    client.delete_tag(run_id, "e")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "late.txt")
        with open(path, "w") as file:
            file.write("after the end")
        client.log_artifact(run_id, path, "plots")


def begin_another(client: Any, experiment: str) -> None:
    run = client.create_run(experiment, start_time=START + 30_000, run_name="another")
    client.log_metric(run.info.run_id, "loss", 0.5, timestamp=START, step=1)
    client.set_terminated(run.info.run_id, end_time=START + 31_000)


def register(client: Any, run_id: str) -> None:
    source = client.get_run(run_id).info.artifact_uri + "/model"
    client.create_model_version("claret", source, run_id)
    client.transition_model_version_stage("claret", "3", "Production", archive_existing_versions=True)
    client.update_registered_model("claret", "From the right bank")
    client.set_registered_model_tag("claret", "kind", "red, still")
    client.set_model_version_tag("claret", "1", "n", "one")
    if not mlflow.__version__.startswith("1."):
        client.set_registered_model_alias("claret", "champion", "3")
        client.delete_registered_model_alias("claret", "challenger")
    client.create_registered_model("late")


main()
