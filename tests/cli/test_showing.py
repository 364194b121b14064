"""What `mlproj show` tells of models and datasets that a script logged with a real client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker
from tests.mlflow_clients import ENDS, QUIET, ClientPython

SCRIPT = """\
import sys
import mlflow, pandas
from mlflow.pyfunc import PythonModel

class Doubling(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2

table = pandas.read_csv("wine.csv")
if hasattr(mlflow, "log_input"):
    source = "file://" + sys.argv[1] + "/wine.csv"
    mlflow.log_input(mlflow.data.from_pandas(table, source=source, name="wine"), context="training")
name = {"name": "doubling"} if int(mlflow.__version__.split(".")[0]) >= 3 else {"artifact_path": "doubling"}
mlflow.pyfunc.log_model(python_model=Doubling(), registered_model_name="doubler", **name)
if hasattr(mlflow.MlflowClient(), "set_registered_model_alias"):
    mlflow.MlflowClient().set_registered_model_alias("doubler", "champion", 1)
mlflow.MlflowClient().transition_model_version_stage("doubler", 1, "Staging")
"""


@pytest.mark.parametrize("line", ENDS)
def test_models_and_datasets_are_shown_so_that_a_person_can_read_them(
    make_project: ProjectMaker, mlproj: Mlproj, client_python: ClientPython, line: str
) -> None:
    python = client_python(line)
    files = {"log.py": SCRIPT, "wine.csv": "acid,sugar,quality\n1,2,3\n4,5,6\n"}
    project = make_project({"MLproject": single(f'{python} log.py "$PWD"'), **files})
    answer = mlproj("run", ".", "--json", *LOCAL, cwd=project, variables=QUIET)
    assert answer.code == 0, answer.stderr
    shown = mlproj("show", "last", "--json").document
    assert answer.document["models"] == shown["models"] and answer.document["datasets"] == shown["datasets"]
    (model,) = shown["models"]
    assert (model["name"], model["flavors"], model["direction"]) == (
        "doubling",
        ["python_function"],
        "output",
    )
    assert (model["model_id"] is None, model["status"]) == ((False, "READY") if line == "3" else (True, None))
    digests = {file["path"].removeprefix(model["path"] + "/"): file["digest"] for file in model["files"]}
    assert {"MLmodel", "python_model.pkl"} <= set(digests) and all(digests.values())
    (version,) = model["versions"]
    aliases = [] if line == "1.30" else ["champion"]
    assert (version["name"], version["version"], version["aliases"]) == ("doubler", 1, aliases)
    page = mlproj("show", "last").stdout
    alias = "" if line == "1.30" else ", alias `champion`"
    assert f"registered  `doubler` version 1{alias}, stage Staging\n" in page
    assert page.count(digests["MLmodel"]) == 1 and "flavours    python_function\n" in page
    if line != "1.30":
        check_dataset(shown, page, project)


def check_dataset(shown: dict[str, Any], page: str, project: Path) -> None:
    (dataset,) = shown["datasets"]
    assert dataset == {
        "name": "wine",
        "digest": dataset["digest"],
        "source": f"{project}/wine.csv",
        "source_type": dataset["source_type"],
        "context": "training",
        "rows": 2,
        "columns": 3,
    }
    assert f"wine  training  {project}/wine.csv  2 rows, 3 columns  digest {dataset['digest']}" in page
