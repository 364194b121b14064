"""`mlproj run --reuse` of a pipeline: steps that were run already are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj
from tests.cli.test_reuse import project, ran
from tests.conftest import ProjectMaker
from tests.mlflow_clients import QUIET, ClientPython

__all__ = ["project", "ran"]


PIPELINE = """\
import sys
import mlflow
from mlflow.tracking import MlflowClient

prepared = mlflow.projects.run(".", "prepare", synchronous=len(sys.argv) > 2)
prepared.wait()
run = MlflowClient().get_run(prepared.run_id)
print("prepared", prepared.run_id, run.info.status, run.data.metrics["rows"])
table = run.info.artifact_uri + "/table.csv"
trained = mlflow.projects.run(".", "train", parameters={"table": table, "alpha": sys.argv[1]})
print("trained", trained.run_id)
"""


PREPARE = """\
import os, mlflow
open(os.path.join(os.environ["MLPROJ_OUTPUT_DIR"], "table.csv"), "w").write("1,2\\n")
mlflow.log_metric("rows", 1)
"""


STEPS = """\
entry_points:
  main: {parameters: {alpha: float}, command: "%(python)s pipeline.py {alpha} waiting"}
  apart: {parameters: {alpha: float}, command: "%(python)s pipeline.py {alpha}"}
  prepare: {command: "echo prepare >> %(count)s; %(python)s prepare.py"}
  train: {parameters: {table: path, alpha: float}, command: "echo train >> %(count)s; cat {table}"}
"""


@pytest.mark.parametrize("entry", ["main", "apart"])
def test_steps_that_were_run_already_are_skipped(
    mlproj: Mlproj, make_project: ProjectMaker, client_python: ClientPython, tmp_path: Path, entry: str
) -> None:
    python, count = client_python("3"), tmp_path / "count"
    steps = STEPS % {"python": python, "count": count}
    project = make_project({"MLproject": steps, "pipeline.py": PIPELINE, "prepare.py": PREPARE})

    def pipeline(alpha: str, *options: str) -> dict[str, str]:
        given = ("-e", entry, "-P", f"alpha={alpha}", *options, *LOCAL)
        answer = mlproj("run", ".", *given, cwd=project, variables=QUIET)
        assert answer.code == 0, answer.stderr
        return {line.split()[0]: line.split()[1] for line in answer.stdout.splitlines() if " " in line}

    first = pipeline("1")
    assert count.read_text() == "prepare\ntrain\n"
    second = pipeline("2", "--reuse")
    assert count.read_text() == "prepare\ntrain\ntrain\n"
    assert second["prepared"] == first["prepared"] and second["trained"] != first["trained"]
    tags = mlproj("show", "last", "--json").document["tags"]
    assert tags["mlproj.reused"] == first["prepared"]
    pipeline("2", "--reuse")
    assert count.read_text() == "prepare\ntrain\ntrain\n"
    third = pipeline("1")
    assert count.read_text() == "prepare\ntrain\ntrain\nprepare\ntrain\n", "nobody asked for it"
    assert third["prepared"] != first["prepared"]


def test_a_step_that_a_shell_starts_is_skipped_too_unless_it_says_otherwise(
    mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    shell = (
        "entry_points:\n  main: {parameters: {n: int, how: string},"
        " command: 'python3 -m mlproj run . -e step --env-manager local {how}'}\n"
        f"  step: {{command: 'echo step >> {count}'}}\n"
    )
    project = make_project({"MLproject": shell})
    for number, how in enumerate(("--reuse", "--reuse", "--no-reuse", "--json")):
        given = ("-P", f"n={number}", "-P", f"how={how}", *LOCAL)
        assert mlproj("run", ".", "--reuse", *given, cwd=project).code == 0
    assert count.read_text() == "step\nstep\n"
