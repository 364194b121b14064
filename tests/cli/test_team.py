"""A job in CI records at a server that asks who calls, and somebody does its run again where nothing is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, Answer, Mlproj, single
from tests.cli.test_far_store import SCRIPT
from tests.conftest import ProjectMaker
from tests.mlflow_clients import ClientPython
from tests.s3_server import S3Server
from tests.server.hosted import hosted, kept, let_in

CASES = (("sqlite", "folder"), ("postgresql", "bucket"), ("mariadb", "folder"))
"""A database, and where contents are."""

Machine = Callable[[str], Callable[..., Answer]]
"""Gives what calls the command on a machine that has nothing yet."""


@pytest.fixture
def machine(mlproj: Mlproj, client_python: ClientPython, tmp_path: Path) -> Machine:
    path = f"{client_python('3').parent}{os.pathsep}{os.environ['PATH']}"

    def named(name: str) -> Callable[..., Answer]:
        home = tmp_path / name
        home.mkdir()
        own = {"HOME": str(home), "MLPROJ_CACHE_DIR": str(home / "cache"), "PATH": path}
        return lambda *arguments, **variables: mlproj(*arguments, cwd=home, variables={**own, **variables})

    return named


@pytest.mark.parametrize(("backend", "place"), CASES)
def test_a_job_s_run_is_done_again_on_a_machine_that_has_nothing(
    backend: str, place: str, machine: Machine, s3: S3Server, make_project: ProjectMaker, tmp_path: Path
) -> None:
    where = kept(backend, tmp_path, s3.bucket() if place == "bucket" else None)
    project = make_project(
        {
            "MLproject": single("'python train.py && cat data/*.txt > sum.txt'", outputs="[sum.txt]"),
            "train.py": SCRIPT,
            **{f"data/{number}.txt": f"{number}\n" for number in range(40)},
        }
    )
    ci, desk, stranger = machine("ci"), machine("desk"), machine("stranger")
    with hosted(tmp_path, "--auth", *where.options) as server:
        token = let_in("token", where).variables["MLFLOW_TRACKING_TOKEN"]
        there = {"MLPROJ_STORE": server.uri, "MLPROJ_TOKEN": token}
        ran = ci("run", project, *LOCAL, "--store", server.uri, "--json", MLPROJ_TOKEN=token)
        assert ran.code == 0, ran.stderr
        run_id = ran.document["run_id"]
        assert ran.document["metrics"]["loss"] == 0.05
        shutil.rmtree(project)

        nobody = stranger("show", run_id, "--store", server.uri)
        assert nobody.code == 5 and "MLPROJ_TOKEN" in nobody.stderr
        checked = desk("verify", run_id, **there)
        assert checked.code == 0 and "all are what was recorded" in checked.stderr, checked.stderr
        whole = desk("verify", **there)
        assert whole.code == 5 and "administrators" in whole.stderr
        assert desk("doctor", **there).code == 0
        assert desk("show", run_id, "--json", **there).document["metrics"] == ran.document["metrics"]
        again = desk("reproduce", run_id, "--json", **there)
        assert again.code == 0, again.stderr
        assert again.document["verdict"]["grade"] == "identical"
        came_of_it = desk("lineage", run_id, "--json", **there)
        assert came_of_it.code == 0, came_of_it.stderr
        assert desk("artifacts", run_id, "get", "sum.txt", "--to", tmp_path / "sum", **there).code == 0
        assert len((tmp_path / "sum").read_text().split()) == 40

        pulled = desk("pull", run_id, "--from", server.uri, "--store", tmp_path / "own", MLPROJ_TOKEN=token)
        assert pulled.code == 0, pulled.stderr
        assert desk("verify", "--store", tmp_path / "own").code == 0
        own = make_project({"MLproject": single("'echo left > out.txt'", outputs="[out.txt]")}, name="own")
        assert desk("run", own, *LOCAL, "--run-name", "later", "--store", tmp_path / "own").code == 0
        for new in (True, False):
            pushed = desk(
                "push", "later", server.uri, "--store", tmp_path / "own", "--json", MLPROJ_TOKEN=token
            )
            assert pushed.code == 0, pushed.stderr
            assert [run["new"] for run in pushed.document["runs"]] == [new]
        assert not server.events("bug") and not server.events("worker died")
    where.command("verify")
