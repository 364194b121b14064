"""`--env-manager` from the outside: one kind of environment in place of the one that a project names."""

from __future__ import annotations

from tests.cli.conftest import Mlproj, single
from tests.conftest import ProjectMaker


def test_a_conda_project_runs_in_a_virtualenv_where_that_is_asked_for(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    files = {
        "MLproject": "conda_env: conda.yaml\n"
        + single("python -c 'import six, toml; print(six.__version__)'"),
        "conda.yaml": "dependencies:\n- six=1.16=py_0\n- pip\n- pip: [toml]\n",
    }
    answer = mlproj("run", ".", "--env-manager", "virtualenv", "--json", cwd=make_project(files))
    assert answer.code == 0, answer.stderr
    assert "1.16.0" in answer.stderr.splitlines()
    environment = answer.document["environment"]
    assert environment["kind"] == "virtualenv" and "builds that it names of six" in environment["because"]


def test_a_container_project_runs_outside_where_that_is_asked_for_and_says_so(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    files = {"MLproject": "name: p\ndocker_env:\n  image: nowhere/none\n" + single("echo here")}
    answer = mlproj("run", ".", "--env-manager", "local", "--json", cwd=make_project(files))
    assert answer.code == 0 and "no run in a container" in answer.stderr
    assert "in place of `docker_env`" in answer.document["environment"]["because"]
