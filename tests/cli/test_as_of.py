"""`--as-of` from the outside: a day, the commit's date, and what is no date."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Mlproj, single
from tests.conftest import ProjectMaker

SIX = {
    "MLproject": "python_env: python_env.yaml\n" + single("python -c 'import six; print(six.__version__)'"),
    "python_env.yaml": "dependencies: [six]\n",
}


@pytest.fixture
def project(make_project: ProjectMaker) -> Path:
    """Committed on a day when six 1.16 was the newest."""
    folder = make_project(SIX)
    dated = {**os.environ, "GIT_COMMITTER_DATE": "2022-05-05T12:00:00+0200"}
    subprocess.run(("git", "commit", "--quiet", "--amend", "--no-edit"), cwd=folder, env=dated, check=True)
    return folder


def test_the_commits_date_is_the_instant_and_is_recorded(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", "--as-of", "commit", "--json", cwd=project)
    assert answer.code == 0, answer.stderr
    assert "1.16.0" in answer.stderr.splitlines()
    assert answer.document["environment"]["as_of"] == "2022-05-05T10:00:00.000Z"
    assert mlproj("show", "last", "--json").document["environment"] == answer.document["environment"]
    assert "as of" in mlproj("show", "last").stdout


def test_two_instants_are_two_plans(project: Path, mlproj: Mlproj) -> None:
    plans = []
    for day in ("2020-02-02", "2022-05-05T10:00:00Z"):
        assert mlproj("run", ".", "--as-of", day, cwd=project).code == 0
        plans.append(mlproj("run", ".", "--as-of", day, "--dry-run", "--json", cwd=project).document["plan"])
    by_variable = mlproj(
        "run", ".", "--dry-run", "--json", cwd=project, variables={"MLPROJ_AS_OF": "2020-02-02"}
    )
    assert plans[0] != plans[1] and None not in plans
    assert by_variable.document["plan"] == plans[0]


def test_a_source_without_a_commit_has_no_date(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", "--as-of", "commit", cwd=make_project(SIX, git=False))
    assert answer.code == 2
    assert "the source is at none" in answer.stderr and "Traceback" not in answer.stderr


def test_what_is_no_date_is_a_usage_error(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj("run", ".", "--as-of", "last tuesday", cwd=project)
    assert answer.code == 2 and "`last tuesday` is none" in answer.stderr


def test_where_nothing_is_resolved_a_note_says_that_it_changes_nothing(project: Path, mlproj: Mlproj) -> None:
    answer = mlproj(
        "run", ".", "--as-of", "2020-02-02", "--env-manager", "local", "--dry-run", "--json", cwd=project
    )
    assert answer.code == 0 and "`--as-of` changes nothing" in answer.stderr
    assert answer.document["environment"]["as_of"] is None
