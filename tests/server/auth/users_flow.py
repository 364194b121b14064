"""What MLflow's own client of a server's users does, on either line that has it; whoever serves it.

A program of its own, run by the client's Python as a user who manages the server, with nothing of ours.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

# Where this file is checked there is neither.
mlflow: Any = import_module("mlflow")
AuthServiceClient: Any = import_module("mlflow.server.auth.client").AuthServiceClient
MlflowException: Any = import_module("mlflow.exceptions").MlflowException
MlflowClient: Any = import_module("mlflow.tracking").MlflowClient

URI = os.environ["MLFLOW_TRACKING_URI"]
users, own = AuthServiceClient(URI), MlflowClient(URI)


def as_user(name: str, password: str) -> Any:
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = name, password
    return MlflowClient(URI)


def refused(code: str, act: Any, *given: object) -> None:
    try:
        act(*given)
    except MlflowException as error:
        assert error.error_code == code, error
    else:
        raise AssertionError(f"{act} was not refused")


def main() -> None:
    manager = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
    made = users.create_user("carol", "carols password")
    assert made.username == "carol" and made.is_admin is False
    refused("RESOURCE_ALREADY_EXISTS", users.create_user, "carol", "carols password")
    assert users.get_user("carol").username == "carol"
    refused("RESOURCE_DOES_NOT_EXIST", users.get_user, "nobody")
    experiment = own.create_experiment("shared")
    own.create_registered_model("shared")
    if hasattr(users, "grant_user_permission"):
        by_one_route(experiment)
    else:
        by_two_routes(experiment)
    carol = as_user("carol", "carols password")
    assert carol.get_experiment(experiment).name == "shared"
    assert carol.get_registered_model("shared").name == "shared"
    run = carol.create_run(experiment)
    carol.log_metric(run.info.run_id, "m", 1.0)
    refused("PERMISSION_DENIED", carol.delete_experiment, experiment)
    refused("PERMISSION_DENIED", users.create_user, "eve", "a password")
    as_user(*manager)
    users.update_user_password("carol", "another password")
    users.update_user_admin("carol", True)
    carol = as_user("carol", "another password")
    carol.delete_experiment(experiment)
    as_user(*manager)
    users.delete_user("carol")
    refused("RESOURCE_DOES_NOT_EXIST", users.get_user, "carol")
    sys.stdout.write("passed\n")


def by_one_route(experiment: str) -> None:
    users.grant_user_permission("carol", "experiment", experiment, "READ")
    users.grant_user_permission("carol", "experiment", experiment, "EDIT")
    users.grant_user_permission("carol", "registered_model", "shared", "MANAGE")
    assert users.get_user_permission("carol", "experiment", experiment).permission == "EDIT"
    users.revoke_user_permission("carol", "registered_model", "shared")
    found = users.get_user_permission("carol", "registered_model", "shared")
    assert (found.allowed, found.permission) == (False, "NO_PERMISSIONS")
    users.grant_user_permission("carol", "registered_model", "shared", "READ")


def by_two_routes(experiment: str) -> None:
    made = users.create_experiment_permission(experiment, "carol", "READ")
    assert (made.experiment_id, made.permission) == (experiment, "READ")
    refused("RESOURCE_ALREADY_EXISTS", users.create_experiment_permission, experiment, "carol", "READ")
    users.update_experiment_permission(experiment, "carol", "EDIT")
    assert users.get_experiment_permission(experiment, "carol").permission == "EDIT"
    users.create_registered_model_permission("shared", "carol", "MANAGE")
    users.update_registered_model_permission("shared", "carol", "READ")
    assert users.get_registered_model_permission("shared", "carol").permission == "READ"
    users.delete_registered_model_permission("shared", "carol")
    refused("RESOURCE_DOES_NOT_EXIST", users.get_registered_model_permission, "shared", "carol")
    users.create_registered_model_permission("shared", "carol", "READ")
    told = users.get_user("carol")
    assert [each.permission for each in told.experiment_permissions] == ["EDIT"]
    users.delete_experiment_permission(experiment, "carol")
    refused("RESOURCE_DOES_NOT_EXIST", users.delete_experiment_permission, experiment, "carol")
    users.create_experiment_permission(experiment, "carol", "EDIT")


main()
