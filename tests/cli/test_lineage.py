"""What came of what: asked of files, runs, digests and models, and joined by content alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlproj.services.lineage_graph import MOST_RUNS
from tests.benchmarks.past import lengthen
from tests.cli.conftest import LOCAL, Mlproj
from tests.conftest import ProjectMaker, need
from tests.mlflow_clients import QUIET, ClientPython, client_python

__all__ = ["client_python"]

PROJECT = """\
name: chain
entry_points:
  prepare:
    parameters: {raw: path, factor: {type: int, default: 2}}
    command: "mkdir -p prepared && (cat {raw}; echo {factor}) > prepared/table.csv && echo x > prepared/note"
    outputs: [prepared]
  train:
    parameters: {table: path}
    command: "(echo model; cat {table}) > model.bin && echo '{\\"rmse\\": 0.5}' > metrics.json"
    outputs: [model.bin]
    metrics: [metrics.json]
  judge:
    parameters: {models: path}
    command: "cat {models}/* | wc -c > verdict.txt"
    outputs: [verdict.txt]
  again:
    inputs: [state.txt]
    command: "touch state.txt"
    outputs: [state.txt]
"""


@pytest.fixture
def project(make_project: ProjectMaker, tmp_path: Path) -> Path:
    (tmp_path / "raw.csv").write_text("1,2\n")
    return make_project({"MLproject": PROJECT, ".gitignore": "*.bin\n*.txt\nprepared\n"})


def run(mlproj: Mlproj, project: Path, entry: str, *given: str) -> str:
    answer = mlproj("run", ".", "-e", entry, *given, "--json", *LOCAL, cwd=project)
    assert answer.code == 0, answer.stderr
    run_id: str = answer.document["run_id"]
    return run_id


def ask(mlproj: Mlproj, *arguments: str | Path, cwd: Path | None = None) -> dict[str, Any]:
    answer = mlproj("lineage", *arguments, "--json", cwd=cwd)
    assert answer.code == 0, answer.stderr
    return answer.document


def edges(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Each edge by the short names of what it joins."""

    def short(node: dict[str, Any]) -> str:
        return str(node.get("entry_point") or (node.get("paths") or [node.get("name")])[0])

    names = {node["id"]: short(node) for node in found["nodes"]}
    return {(names[e["source"]], e["role"], names[e["target"]]) for e in found["edges"]}


@pytest.fixture
def trained(mlproj: Mlproj, project: Path) -> tuple[str, str]:
    """Two runs: the second reads a file from the folder that the first left, which nobody tells anybody."""
    first = run(mlproj, project, "prepare", "-P", "raw=../raw.csv")
    shutil.copy(project / "prepared" / "table.csv", project.parent / "copied.csv")
    return first, run(mlproj, project, "train", "-P", "table=../copied.csv")


def test_a_model_file_alone_says_which_data_code_and_environment_made_it(
    mlproj: Mlproj, project: Path, trained: tuple[str, str], tmp_path: Path
) -> None:
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=project, capture_output=True, text=True)
    shutil.move(project / "model.bin", tmp_path / "from a colleague")
    shutil.rmtree(project)
    found = ask(mlproj, "from a colleague", "--up")
    assert found["schema"] == "mlproj/lineage/1"
    assert edges(found) == {
        ("train", "made", "from a colleague"),
        (str(tmp_path / "copied.csv"), "read", "train"),
        ("prepare", "made", str(tmp_path / "copied.csv")),
        (str(tmp_path / "raw.csv"), "read", "prepare"),
    }
    runs = {node["run_id"]: node for node in found["nodes"] if node["kind"] == "run"}
    assert set(runs) == set(trained)
    made = runs[trained[1]]
    assert made["source"]["commit"] == head.stdout.strip()
    assert made["metrics"] == {"rmse": 0.5}
    assert made["environment"]["lock"].startswith("sha256:")
    assert runs[trained[0]]["parameters"]["factor"] == 2
    raw = hashlib.sha256(b"1,2\n").hexdigest()
    assert f"sha256:{raw}" in {node["id"] for node in found["nodes"]}
    [made_edge] = [e for e in found["edges"] if e["source"] == f"run:{trained[0]}"]
    assert made_edge["paths"] == ["prepared/table.csv"]


def test_data_says_which_runs_and_results_came_of_it(
    mlproj: Mlproj, trained: tuple[str, str], tmp_path: Path
) -> None:
    found = ask(mlproj, "raw.csv", "--down")
    assert ("raw.csv", "read", "prepare") in edges(found)
    assert ("prepared", "read", "train") in edges(found)
    assert ("train", "made", "model.bin") in edges(found)
    by_digest = ask(mlproj, hashlib.sha256(b"1,2\n").hexdigest()[:12], "--down")
    assert {e["target"] for e in by_digest["edges"]} == {e["target"] for e in found["edges"]}
    assert ask(mlproj, "raw.csv", "--down", "--depth", "1")["nodes"][-1]["kind"] == "data"
    short = ask(mlproj, "raw.csv", "--down", "--depth", "1")
    assert [node["entry_point"] for node in short["nodes"] if node["kind"] == "run"] == ["prepare"]


def test_a_tree_tells_a_person(mlproj: Mlproj, trained: tuple[str, str]) -> None:
    told = mlproj("lineage", trained[1], "--up").stdout
    for words in (
        "at commit",
        "environment: system, Python",
        "parameters: table=",
        "results: rmse=0.5",
        f"made by run `{open_name(mlproj, trained[0])}`",
        "as `prepared/table.csv`",
    ):
        assert words in told
    below = mlproj("lineage", trained[0], "--down").stdout
    assert "what came of it" in below and "made `model.bin`" in below


def open_name(mlproj: Mlproj, run_id: str) -> str:
    return str(mlproj("show", run_id, "--json").document["name"])


def test_a_folder_is_joined_by_the_files_in_it(
    mlproj: Mlproj, project: Path, trained: tuple[str, str], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(project / "model.bin", models / "renamed")
    (models / "by hand").write_text("written by nobody\n")
    judged = run(mlproj, project, "judge", "-P", f"models={models}")
    upward = ask(mlproj, judged, "--up")
    assert ("train", "made part of", str(models)) in edges(upward)
    assert ("prepare", "made", str(tmp_path / "copied.csv")) in edges(upward)
    downward = ask(mlproj, trained[1], "--down")
    assert ("model.bin", "read", "judge") in edges(downward)
    asked = ask(mlproj, models, "--up", cwd=tmp_path)
    assert asked["edges"][0]["paths"] == ["renamed"]


def test_a_run_that_reads_what_it_writes_comes_to_an_end(mlproj: Mlproj, project: Path) -> None:
    (project / "state.txt").write_text("as ever\n")
    for _ in range(2):
        run(mlproj, project, "again")
    found = ask(mlproj, "last")
    [state] = [node for node in found["nodes"] if node["kind"] == "data"]
    assert {(e["source"] == state["id"], e["role"]) for e in found["edges"]} >= {
        (True, "read"),
        (False, "made"),
    }
    assert "(see above)" in mlproj("lineage", "last").stdout


def test_who_came_later_is_told_and_not_followed(
    mlproj: Mlproj, project: Path, trained: tuple[str, str]
) -> None:
    later = run(mlproj, project, "prepare", "-P", "raw=../raw.csv")
    found = ask(mlproj, trained[1], "--up")
    doubts = {e["source"]: e["doubt"] for e in found["edges"] if e["role"] == "made"}
    assert doubts == {f"run:{trained[0]}": None, f"run:{later}": "it began after the data was read"}
    both = ask(mlproj, project.parent / "copied.csv", "--up", "--depth", "1")
    made = [e["source"] for e in both["edges"] if e["role"] == "made"]
    assert made == [f"run:{later}", f"run:{trained[0]}"], "newest first"


def test_hidden_runs_are_marked_and_forgotten_ones_gone(
    mlproj: Mlproj, project: Path, trained: tuple[str, str]
) -> None:
    mlproj("rm", trained[1])
    found = ask(mlproj, project / "model.bin")
    assert [node["hidden"] for node in found["nodes"] if node["kind"] == "run"] == [True, False]
    assert "hidden" in mlproj("lineage", project / "model.bin").stdout
    assert mlproj("gc").code == 0
    gone = mlproj("lineage", project / "model.bin")
    assert (gone.code, "no run in the store" in gone.stderr) == (5, True)


def test_of_very_many_runs_the_newest_are_told(mlproj: Mlproj, project: Path, tmp_path: Path) -> None:
    run(mlproj, project, "prepare", "-P", "raw=../raw.csv")
    lengthen(tmp_path / "store", MOST_RUNS + 5)
    found = ask(mlproj, "raw.csv", "--down")
    assert found["more"] == [{"id": found["root"], "role": "read", "count": 5}]
    assert "and 5 further runs" in mlproj("lineage", "raw.csv", "--down").stdout


@pytest.mark.parametrize(
    ("what", "code", "told"),
    [
        ("nothing-like-it", 5, "no file here, and no run"),
        ("sha256:" + "0" * 64, 5, "read or left content"),
        ("sha256:xyz", 2, "is no digest"),
        ("models:/unknown/1", 5, "knows no model"),
        ("models:/unknown/Production", 5, "knows no model"),
        ("models:/unknown/Sideways", 2, "neither a version nor a stage"),
        ("models:", 2, "names no model"),
        ("runs:/last/nothing", 5, "left no `nothing`"),
        ("empty", 5, "is empty"),
        ("strange", 5, "read or left the content"),
    ],
)
def test_what_is_not_known_is_said(
    mlproj: Mlproj, trained: tuple[str, str], tmp_path: Path, what: str, code: int, told: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "strange").write_text("nobody knows me")
    answer = mlproj("lineage", what)
    assert (answer.code, told in answer.stderr) == (code, True), answer.stderr


def test_graphviz_reads_the_graph_whatever_it_is_called(
    mlproj: Mlproj, make_project: ProjectMaker, tmp_path: Path
) -> None:
    need("dot", shutil.which("dot") is not None)
    odd = 'a "quoted" \\ back\\n\nslash {x|y} <b> \N{SNOWMAN}.csv'
    (tmp_path / odd).write_text("data\n")
    project = make_project({"MLproject": PROJECT.replace("chain", "'odd \"name\" \\\\'")}, name="other")
    run(mlproj, project, "train", "-P", f"table={tmp_path / odd}")
    answer = mlproj("lineage", tmp_path / odd, "--dot")
    drawn = subprocess.run(
        ("dot", "-Tjson"), input=answer.stdout.encode(), capture_output=True, check=True, timeout=60
    )
    assert not drawn.stderr
    labels = [node["label"] for node in json.loads(drawn.stdout)["objects"]]
    assert any('a "quoted" ' in label or 'a \\"quoted\\" ' in label for label in labels)
    assert answer.stdout.startswith("digraph lineage {\n")


LOGGING = """\
import sys
import mlflow
import pandas
from mlflow.pyfunc import PythonModel

class Mean(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

table = pandas.read_csv(sys.argv[1])
mlflow.log_input(mlflow.data.from_pandas(table, source=sys.argv[1], name="table"), context="training")
mlflow.log_metric("rmse", 0.25)
info = mlflow.pyfunc.log_model(name="mean", python_model=Mean(), registered_model_name="means")
mlflow.tracking.MlflowClient().set_registered_model_alias("means", "best", 1)
print(info.model_uri)
"""
USING = """\
import sys
import mlflow
mlflow.pyfunc.load_model(sys.argv[1])
print(mlflow.artifacts.download_artifacts(sys.argv[1], dst_path="downloaded"))
"""
WITH_MLFLOW = """\
entry_points:
  train: {parameters: {data: path}, command: "%(python)s train.py {data}"}
  use: {parameters: {model: string}, command: "%(python)s use.py {model}"}
"""


def test_a_logged_and_registered_model_leads_to_its_run(
    mlproj: Mlproj, make_project: ProjectMaker, client_python: ClientPython, tmp_path: Path
) -> None:
    python = client_python("3")
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    project = make_project(
        {"MLproject": WITH_MLFLOW % {"python": python}, "train.py": LOGGING, "use.py": USING}
    )
    answer = mlproj(
        "run", ".", "-e", "train", "-P", "data=../data.csv", "--json", *LOCAL, cwd=project, variables=QUIET
    )
    assert answer.code == 0, answer.stderr
    trained = f"run:{answer.document['run_id']}"
    (model,) = answer.document["models"]
    named = ("models:/means/1", "models:/means@best", "models:/means", "models:/means/none")
    for name in (f"models:/{model['model_id']}", *named):
        found = ask(mlproj, name, "--up")
        nodes = {node["id"]: node for node in found["nodes"]}
        assert nodes[trained]["metrics"] == {"rmse": 0.25}
        assert {node["name"] for node in nodes.values() if node["kind"] == "dataset"} == {"table"}
        assert any(node.get("paths") == [str(tmp_path / "data.csv")] for node in nodes.values())
    used = mlproj(
        "run", ".", "-e", "use", "-P", "model=models:/means/1", *LOCAL, cwd=project, variables=QUIET
    )
    assert used.code == 0, used.stderr
    down = ask(mlproj, "data.csv", "--down")
    kinds = [(node["kind"], node.get("version")) for node in down["nodes"]]
    assert ("model", None) in kinds and ("model", 1) in kinds
    # The folder of the model, copied elsewhere and renamed: its files alone say who made it.
    copied = tmp_path / "copied model"
    shutil.copytree(project / "downloaded", copied)
    upward = ask(mlproj, copied, "--up")
    assert [e["source"] for e in upward["edges"] if e["role"] == "made part of"] == [trained]
    described = ask(mlproj, copied / "MLmodel", "--up", "--depth", "1")
    assert {e["source"] for e in described["edges"] if e["role"] == "made"} == {trained}
