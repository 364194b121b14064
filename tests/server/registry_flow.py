"""MLflow's workflows of the model registry, gone through by its client at whatever server there is.

Not a module of the tests: it is run by the Python that has the client, with the server in its variables. Its
arguments are the command that serves a model, which is told the model and the port.
"""

# ruff: noqa: T201

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

mlflow: Any = importlib.import_module("mlflow")
sklearn: Any = importlib.import_module("mlflow.sklearn")
linear_model: Any = importlib.import_module("sklearn.linear_model")

client: Any = mlflow.MlflowClient()
NAME = f"wine-{uuid.uuid4().hex[:8]}"
ROWS = [[0.0], [1.0], [2.0]]
STRANGE = """\
flavors:
  of_nobody: {language: prolog, version: '1'}
model_uuid: 0123456789abcdef0123456789abcdef
utc_time_created: '2026-01-01 00:00:00.000000'
"""


def fitted(slope: float) -> Any:
    return linear_model.LinearRegression().fit(ROWS, [slope * row[0] for row in ROWS])


def logged(slope: float, **more: Any) -> str:
    """The address of a model that a run logged."""
    with mlflow.start_run():
        return str(sklearn.log_model(fitted(slope), name="model", pip_requirements=[], **more).model_uri)


def predicts(uri: str, slope: float) -> None:
    found = mlflow.pyfunc.load_model(uri).predict(ROWS)
    assert all(abs(value - slope * row[0]) < 1e-6 for value, row in zip(found, ROWS, strict=True)), uri


def stages() -> dict[int, str]:
    return {
        int(each.version): each.current_stage for each in client.search_model_versions(f"name = '{NAME}'")
    }


def adds() -> None:
    """From a run, as it is logged and later on."""
    logged(1.0, registered_model_name=NAME)
    version = mlflow.register_model(logged(2.0), NAME, tags={"kind": "linear"})
    assert (int(version.version), version.status, version.tags) == (2, "READY", {"kind": "linear"})
    assert version.run_id


def fetches() -> None:
    """By version, by stage, by alias, and the newest."""
    client.transition_model_version_stage(NAME, "1", "Staging")
    client.set_registered_model_alias(NAME, "champion", "2")
    for which, slope in (("/1", 1.0), ("/2", 2.0), ("/Staging", 1.0), ("@champion", 2.0), ("/latest", 2.0)):
        predicts(f"models:/{NAME}{which}", slope)


def serves() -> None:
    """By HTTP, in the environment that is here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = (*sys.argv[1:], "--model-uri", f"models:/{NAME}@champion", "--port", port)
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/ping", process)
            body = json.dumps({"inputs": ROWS}).encode()
            headers = {"Content-Type": "application/json"}
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, headers)
            with urllib.request.urlopen(asked, timeout=60) as answer:
                found = json.load(answer)["predictions"]
        finally:
            os.killpg(process.pid, signal.SIGTERM)
    assert all(abs(value - 2.0 * row[0]) < 1e-6 for value, row in zip(found, ROWS, strict=True)), found


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError("the model is not served")


def describes() -> None:
    client.update_registered_model(NAME, "of grapes")
    client.update_model_version(NAME, "1", "the *first*")
    assert client.get_registered_model(NAME).description == "of grapes"
    assert client.get_model_version(NAME, "1").description == "the *first*"
    client.update_model_version(NAME, "1", "the first")
    assert client.get_model_version(NAME, "1").description == "the first"


def renames() -> None:
    global NAME
    old, NAME = NAME, f"{NAME}-again"
    client.rename_registered_model(old, NAME)
    try:
        client.get_registered_model(old)
    except mlflow.exceptions.MlflowException as error:
        assert error.error_code == "RESOURCE_DOES_NOT_EXIST"
    else:
        raise AssertionError("the old name is there still")
    predicts(f"models:/{NAME}/1", 1.0)


def transitions() -> None:
    client.transition_model_version_stage(NAME, "1", "Production")
    client.transition_model_version_stage(NAME, "2", "Staging")
    assert stages() == {1: "Production", 2: "Staging"}
    client.transition_model_version_stage(NAME, "2", "Production", archive_existing_versions=True)
    assert stages() == {1: "Archived", 2: "Production"}
    client.transition_model_version_stage(NAME, "1", "None")
    assert stages() == {1: "None", 2: "Production"}
    predicts(f"models:/{NAME}/Production", 2.0)


def lists_and_searches() -> None:
    assert NAME in [each.name for each in client.search_registered_models()]
    assert [each.name for each in client.search_registered_models(f"name LIKE '{NAME}%'")] == [NAME]
    assert client.search_registered_models("name = 'none of that name'") == []
    run_id = client.get_model_version(NAME, "2").run_id
    assert [int(each.version) for each in client.search_model_versions(f"run_id = '{run_id}'")] == [2]
    newest = client.search_model_versions(f"name = '{NAME}'", order_by=["version_number DESC"])
    assert [int(each.version) for each in newest] == [2, 1]
    assert [int(each.version) for each in client.get_latest_versions(NAME, ["Production"])] == [2]


def archives() -> None:
    client.transition_model_version_stage(NAME, "2", "Archived")
    assert stages() == {1: "None", 2: "Archived"}


def registers_from_elsewhere() -> None:
    """A model that was saved outside any run: its files are brought by hand, and its address is named."""
    with tempfile.TemporaryDirectory() as folder:
        sklearn.save_model(fitted(3.0), f"{folder}/model", pip_requirements=[])
        external = mlflow.initialize_logged_model(name="saved")
        client.log_model_artifacts(external.model_id, f"{folder}/model")
        client.finalize_logged_model(external.model_id, "READY")
    version = mlflow.register_model(f"models:/{external.model_id}", NAME)
    assert int(version.version) == 3 and not version.run_id
    predicts(f"models:/{NAME}/3", 3.0)


def registers_what_nobody_knows() -> None:
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        Path(folder, "MLmodel").write_text(STRANGE)
        Path(folder, "rules.pl").write_text("wine(red).")
        mlflow.log_artifacts(folder, "strange")
        version = client.create_model_version(
            NAME, f"{run.info.artifact_uri}/strange", run.info.run_id, description="of a flavour of nobody's"
        )
    assert int(version.version) == 4
    with tempfile.TemporaryDirectory() as folder:
        place = mlflow.artifacts.download_artifacts(f"models:/{NAME}/4", dst_path=folder)
        assert Path(place, "rules.pl").read_text() == "wine(red)."


def aliases() -> None:
    client.set_registered_model_alias(NAME, "best", "1")
    client.set_registered_model_alias(NAME, "best", "3")
    assert int(client.get_model_version_by_alias(NAME, "best").version) == 3
    client.delete_registered_model_alias(NAME, "best")
    assert client.get_registered_model(NAME).aliases in ({"champion": "2"}, {"champion": 2})


def tags() -> None:
    client.set_registered_model_tag(NAME, "team", "red")
    client.set_model_version_tag(NAME, "1", "checked", "yes")
    assert client.get_registered_model(NAME).tags == {"team": "red"}
    assert client.get_model_version(NAME, "1").tags == {"checked": "yes"}
    client.delete_registered_model_tag(NAME, "team")
    client.delete_model_version_tag(NAME, "1", "checked")
    assert client.get_registered_model(NAME).tags == {} == client.get_model_version(NAME, "1").tags


def deletes() -> None:
    client.delete_model_version(NAME, "4")
    assert sorted(stages()) == [1, 2, 3]
    client.delete_registered_model(NAME)
    assert client.search_model_versions(f"name = '{NAME}'") == []


WORKFLOWS = (
    adds,
    fetches,
    serves,
    describes,
    renames,
    transitions,
    lists_and_searches,
    archives,
    registers_from_elsewhere,
    registers_what_nobody_knows,
    aliases,
    tags,
    deletes,
)

if __name__ == "__main__":
    for workflow in WORKFLOWS:
        workflow()
        print(workflow.__name__)
