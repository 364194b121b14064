"""Data of another run, named by where MLflow tracks it, as steps of a pipeline name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.server.app import create_app
from mlproj.store.artifacts import FolderArtifacts
from mlproj.store.opening import open_store
from mlproj.store.tracking.opening import open_tracking
from tests.cli.conftest import LOCAL, Mlproj
from tests.conftest import ProjectMaker
from tests.mlflow_clients import QUIET, ClientPython, client_python
from tests.server.calling import served

__all__ = ["client_python"]

PROJECT = """\
entry_points:
  make:
    command: >-
      cd "$MLPROJ_OUTPUT_DIR" && mkdir -p data/deep && echo one > data/a.txt && echo two > data/deep/b.txt
  use:
    parameters: {data: path}
    command: "find {data} -type f | sort | xargs cat"
  read:
    parameters: {data: path}
    command: "cat {data}"
"""
LOGGING = """\
import mlflow, os
os.makedirs("made/deep")
open("made/a.txt", "w").write("one\\n")
open("made/deep/b.txt", "w").write("two\\n")
with mlflow.start_run():
    mlflow.log_artifacts("made", "data")
"""


def test_a_runs_artifacts_are_a_path(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": PROJECT})
    made = mlproj("run", ".", "-e", "make", "--json", *LOCAL, cwd=project).document["run_id"]
    for uri, told in ((f"runs:/{made}/data", "one\ntwo\n"), (f"runs:/{made}/data/deep/b.txt", "two\n")):
        used = mlproj("run", ".", "-e", "use", "-P", f"data={uri}", *LOCAL, cwd=project)
        assert (used.code, used.stdout) == (0, told), used.stderr
        (state,) = mlproj("show", "last", "--json").document["inputs"]
        assert state["path"] == uri and state["digest"]


def test_a_store_may_have_a_blank_in_its_name(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    project, store = make_project({"MLproject": PROJECT}), ("--store", tmp_path / "a store é%20")
    made = mlproj("run", ".", "-e", "make", "--json", *LOCAL, *store, cwd=project).document["run_id"]
    data = ("-P", f"data=runs:/{made}/data/a.txt")
    used = mlproj("run", ".", "-e", "read", *data, *LOCAL, *store, cwd=project)
    assert (used.code, used.stdout) == (0, "one\n"), used.stderr


@pytest.mark.parametrize(
    "uri",
    ["runs:/{run}/../../x", "runs:/{run}/none", "runs:/{other}/data", "mlflow-artifacts:/0/x", "runs:/"],
)
def test_what_is_not_there_is_one_sentence(make_project: ProjectMaker, mlproj: Mlproj, uri: str) -> None:
    project = make_project({"MLproject": PROJECT})
    made = mlproj("run", ".", "-e", "make", "--json", *LOCAL, cwd=project).document["run_id"]
    named = uri.format(run=made, other="0" * 32)
    used = mlproj("run", ".", "-e", "use", "-P", f"data={named}", *LOCAL, cwd=project)
    assert used.code in (3, 5) and used.stderr.count("error: ") == 1, used.stderr


def test_a_servers_artifacts_are_a_path(
    make_project: ProjectMaker, mlproj: Mlproj, client_python: ClientPython, tmp_path: Path
) -> None:
    project = make_project({"MLproject": PROJECT, "log.py": LOGGING})
    store = open_store(tmp_path / "served", create=True)
    tracking = open_tracking(store)
    app = create_app(tracking, FolderArtifacts(store.root, store.root / "uploads"), proxied=True)
    with served(app) as uri:
        variables = {
            **QUIET,
            "MLFLOW_TRACKING_URI": uri,
            "PATH": f"{client_python('3').parent}:/usr/bin:/bin",
        }
        made = mlproj("run", ".", "-e", "log.py", "--json", *LOCAL, cwd=project, variables=variables)
        assert made.code == 0, made.stderr
        at = mlproj("show", "last", "--json").document["server"]["run_id"]
        for named in (f"runs:/{at}/data", f"mlflow-artifacts:/0/{at}/artifacts/data"):
            used = mlproj(
                "run", ".", "-e", "use", "-P", f"data={named}", *LOCAL, cwd=project, variables=variables
            )
            assert (used.code, used.stdout) == (0, "one\ntwo\n"), used.stderr
        named = f"runs:/{at}/nowhere"
        used = mlproj(
            "run", ".", "-e", "use", "-P", f"data={named}", *LOCAL, cwd=project, variables=variables
        )
        assert used.code in (3, 5) and used.stderr.count("error: ") == 1, used.stderr
    tracking.close()
    store.close()
