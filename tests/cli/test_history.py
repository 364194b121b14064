"""The commands that look back: runs, show, logs, artifacts, diff, rm, verify."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Mlproj, single
from tests.conftest import ProjectMaker


@pytest.fixture
def trained(make_project: ProjectMaker, mlproj: Mlproj) -> Path:
    """A project that was run three times, with other alphas and once with a failure."""
    text = """\
name: trial
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
    outputs: ["model-{alpha}"]
    metrics: [metrics.json]
    command: >-
      mkdir -p model-{alpha} && echo {alpha} > model-{alpha}/weights && echo out && echo err >&2
      && echo '{{"rmse": {alpha}}}' > metrics.json && test {alpha} != 3
"""
    project = make_project({"MLproject": text, ".gitignore": "model-*\nmetrics.json\n", "code.py": "a = 1\n"})
    for alpha, code in (("1", 0), ("2", 0), ("3", 1)):
        assert mlproj("run", ".", "-P", f"alpha={alpha}", *LOCAL, cwd=project).code == code
    return project


def test_runs_are_listed_filtered_and_ranked(trained: Path, mlproj: Mlproj) -> None:
    def alphas(*options: str) -> list[float]:
        runs = mlproj("runs", "--json", *options).document["runs"]
        return [run["parameters"]["alpha"]["value"] for run in runs]

    assert alphas() == [3, 2, 1]
    assert alphas("--sort", "metrics.rmse") == [1, 2, 3]
    assert alphas("--where", "metrics.rmse > 1.5", "--where", "status = FINISHED") == [2]
    assert alphas("-n", "1") == [3]
    assert alphas("--where", "params.alpha = 1") == [1]
    table = mlproj("runs").stdout.splitlines()
    assert len(table) == 4 and "FAILED" in table[1]
    assert mlproj("ls").stdout == mlproj("runs").stdout
    bad = mlproj("runs", "--where", "metric.rmse !! 3")
    assert bad.code == 2 and "Traceback" not in bad.stderr


def test_a_list_that_is_cut_says_so(trained: Path, mlproj: Mlproj) -> None:
    cut = mlproj("runs", "-n", "2")
    assert len(cut.stdout.splitlines()) == 3 and "`--all`" in cut.stderr
    assert mlproj("runs", "-n", "3").stderr == mlproj("runs", "--all").stderr == ""


def test_nothing_is_said_of_what_nobody_looked_into(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make_project({"MLproject": single("'exit 3'", outputs="[old]"), "old": "there before\n"})
    assert mlproj("run", ".", *LOCAL, cwd=project).code == 1
    shown = mlproj("show").stdout
    assert "old  unchanged\n" in shown and "(1 file)" in shown
    assert "old  unchanged\n" in mlproj("artifacts").stdout
    assert mlproj("verify").stderr.startswith("1 entry, 1 run and ")


def test_logs_give_each_stream_back(trained: Path, mlproj: Mlproj) -> None:
    both = mlproj("logs", "last")
    assert (both.stdout, both.stderr) == ("out\n", "err\n")
    assert mlproj("logs", "last", "--stream", "stderr").stdout == ""
    assert mlproj("logs", "last", "--stream", "sound").code == 2


def test_artifacts_are_listed_and_copied_out(trained: Path, mlproj: Mlproj, tmp_path: Path) -> None:
    listed = mlproj("artifacts", "last", "--json").document["artifacts"]
    assert [item["path"] for item in listed] == ["model-3/weights", "metrics.json"]
    copied = mlproj("artifacts", "last", "get", "model-3/weights", cwd=tmp_path)
    assert copied.code == 0 and (tmp_path / "weights").read_text() == "3\n"
    again = mlproj("artifacts", "last", "get", "model-3/weights", cwd=tmp_path)
    assert again.code == 2 and "weights" in again.stderr
    whole = mlproj("artifacts", "last", "get", "model-3", "--to", tmp_path / "all")
    assert whole.code == 0 and (tmp_path / "all" / "weights").read_text() == "3\n"
    assert mlproj("artifacts", "last", "get", "nothing").code == 2
    newest = mlproj("artifacts", "get", "metrics.json", cwd=tmp_path)
    assert newest.code == 0 and (tmp_path / "metrics.json").exists(), "the run left out is the last"


def test_diff_tells_parameters_source_and_metrics(trained: Path, mlproj: Mlproj) -> None:
    (trained / "code.py").write_text("a = 2\n")
    mlproj("run", ".", "-P", "alpha=5", *LOCAL, cwd=trained)
    runs = [run["run_id"] for run in mlproj("runs", "--json").document["runs"]]
    told = mlproj("diff", runs[2], runs[0])
    assert told.code == 0
    assert "alpha" in told.stdout and "-a = 1" in told.stdout and "+a = 2" in told.stdout
    metric = next(line for line in told.stdout.splitlines() if "rmse" in line)
    assert metric.split() == ["rmse", "2", "5", "+3"]


def test_a_hidden_run_is_not_listed_and_comes_back(trained: Path, mlproj: Mlproj) -> None:
    run_id = mlproj("show", "--json").document["run_id"]
    assert mlproj("rm", "last").code == 0
    listed = [run["run_id"] for run in mlproj("runs", "--json").document["runs"]]
    assert run_id not in listed and len(listed) == 2
    assert mlproj("show", run_id, "--json").document["deleted"] is True
    assert mlproj("verify").code == 0
    assert mlproj("rm", run_id, "--restore").code == 0
    assert mlproj("show", "--json").document["run_id"] == run_id


def test_a_run_that_is_not_there_is_told_with_near_names(trained: Path, mlproj: Mlproj) -> None:
    name = mlproj("show", "--json").document["name"]
    answer = mlproj("show", name[:-1] + "x")
    assert answer.code == 5 and name in answer.stderr


def test_verify_names_what_was_altered(trained: Path, mlproj: Mlproj, tmp_path: Path) -> None:
    run = mlproj("show", "--json").document
    log = next(log for log in run["logs"] if log["name"] == "stdout")
    hexadecimal = log["digest"].removeprefix("sha256:")
    blob = tmp_path / "store" / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal[2:]
    blob.chmod(0o600)
    blob.write_bytes(b"0ut\n")
    found = mlproj("verify")
    assert found.code == 7 and run["name"] in found.stdout and "stdout" in found.stdout
    blob.write_bytes(b"out\n")
    assert mlproj("verify").code == 0
    database = tmp_path / "store" / "store.db"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE runs SET status = 'FINISHED' WHERE run_id = ?", (run["run_id"],))
    altered = mlproj("verify", "--json")
    assert altered.code == 7 and altered.document["sound"] is False
    assert [problem["run_id"] for problem in altered.document["verification"]["problems"]] == [run["run_id"]]


def test_without_a_store_looking_back_is_told_so(mlproj: Mlproj) -> None:
    for command in ("runs", "show", "logs", "verify"):
        answer = mlproj(command)
        assert answer.code == 5 and answer.stderr.startswith("error: "), command
